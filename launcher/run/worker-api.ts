// The HTTPS side of one attempt at a run: accept, begin, log, objects. See docs/protocol.md, "Worker API".
import { createReadStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import type http from 'node:http';
import type * as z from 'zod';
import { PoolwrightError } from '../../protocol/errors.js';
import { limits } from '../../protocol/limits.js';
import { spoolAnswerSchema, workerApi, workspaceAnswerSchema } from '../../protocol/worker-api.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { createHttpClient, type HttpClient, type OwnAuthorities } from '../network/http-client.js';
import type { ProxySettings } from '../network/proxies.js';
import { createPatientCalls, LocalFault, textOf } from './patient-calls.js';
import { writeWhole } from './write-whole.js';

/** Every call tries again while there is no answer or the answer is UNAVAILABLE, until the signal ends it. */
export interface WorkerApi {
  /** Throws STALE_ATTEMPT. */
  accept(signal: AbortSignal): Promise<void>;
  /** Throws STALE_ATTEMPT, CONFLICT. */
  reject(reason: { readonly code: string; readonly message: string }, signal: AbortSignal): Promise<void>;
  /** After it the first command may run. Throws STALE_ATTEMPT. */
  begin(signal: AbortSignal): Promise<void>;
  /** Says that the run goes on, also while nobody speaks for its worker. Throws STALE_ATTEMPT. */
  alive(signal: AbortSignal): Promise<void>;
  /** Answers the number of the last record that is stored. Throws STALE_ATTEMPT. */
  sendSpool(body: Buffer, signal: AbortSignal): Promise<number>;
  /** Sends a sealed workspace; answers the id of the object. */
  putWorkspace(file: string, signal: AbortSignal): Promise<string>;
  /** Reports the outputs of the stack, as JSON of `outputsSchema`. Throws STALE_ATTEMPT. */
  putOutputs(body: string, signal: AbortSignal): Promise<void>;
  /** Writes an object of the assignment into a new file. */
  fetchObject(object: string, file: string, signal: AbortSignal): Promise<void>;
  /**
   * There is little time left: from now on a connection counts as broken, and is replaced, after a shorter silence, and
   * nobody waits long before the next try.
   */
  hurry(): void;
  close(): void;
}

export type WorkerApiOptions = AttemptOptions & (OwnConnections | SharedConnections);

/** Made for this attempt, and closed with it. */
interface OwnConnections {
  /** PEM: all that are trusted. Asked for with the first connection. */
  readonly authorities: () => string[];
  readonly own: OwnAuthorities;
  readonly proxies: ProxySettings;
}

interface SharedConnections {
  /** To the endpoint; it stays open. */
  readonly client: HttpClient;
}

interface AttemptOptions {
  readonly endpoint: string;
  readonly token: string;
  readonly run: string;
  readonly attempt: number;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly log: Log;
}

export function createWorkerApi(options: WorkerApiOptions): WorkerApi {
  const { run, attempt } = options;
  const shared = 'client' in options;
  const client = shared ? options.client : createHttpClient(options);
  const calls = createPatientCalls({ ...options, client });
  const { perform } = calls;

  /** A page that something in between answers with 200 must not count as leave to begin. */
  const nothing = async (response: http.IncomingMessage): Promise<void> => {
    await textOf(response);
    const { statusCode = 0 } = response;
    if (statusCode !== 204)
      throw new Error(
        `something else than the control plane answered, with HTTP status ${String(statusCode)}`,
      );
  };
  const json =
    <Schema extends z.ZodType>(schema: Schema) =>
    async (response: http.IncomingMessage): Promise<z.output<Schema>> =>
      schema.parse(JSON.parse(await textOf(response)));

  return {
    accept: (signal) => perform({ method: 'POST', path: workerApi.accept(run, attempt) }, signal, nothing),
    reject: ({ code, message }, signal) =>
      perform(
        {
          method: 'POST',
          path: workerApi.reject(run, attempt),
          type: 'application/json',
          body: () => JSON.stringify({ code, message: message.slice(0, 4096) }),
        },
        signal,
        nothing,
      ),
    begin: (signal) => perform({ method: 'POST', path: workerApi.begin(run, attempt) }, signal, nothing),
    alive: (signal) => perform({ method: 'POST', path: workerApi.alive(run, attempt) }, signal, nothing),
    async sendSpool(body, signal) {
      const call = {
        method: 'POST',
        path: workerApi.spool(run, attempt),
        type: 'application/x-ndjson',
      } as const;
      return (await perform({ ...call, body: () => body }, signal, json(spoolAnswerSchema))).acknowledged;
    },
    async putWorkspace(file, signal) {
      const { size } = await stat(file);
      if (size > limits.workspace) throw tooLarge(size);
      const call = {
        method: 'PUT',
        path: workerApi.workspace(run, attempt),
        type: 'application/octet-stream',
      } as const;
      const body = () => ({ stream: createReadStream(file), size });
      return (await perform({ ...call, body }, signal, json(workspaceAnswerSchema))).object;
    },
    putOutputs: (body, signal) =>
      perform(
        { method: 'PUT', path: workerApi.outputs(run, attempt), type: 'application/json', body: () => body },
        signal,
        nothing,
      ),
    fetchObject: (object, file, signal) =>
      perform({ method: 'GET', path: workerApi.object(run, attempt, object) }, signal, async (response) => {
        const handle = await here(rm(file, { force: true }).then(() => open(file, 'wx', 0o600)));
        try {
          let offset = 0;
          for await (const part of response) {
            const bytes = part as Buffer;
            await here(writeWhole(handle, bytes, offset));
            offset += bytes.length;
          }
        } finally {
          await here(handle.close());
        }
      }),
    hurry: calls.hurry,
    close() {
      if (!shared) client.close();
    },
  };
}

/** What fails on this machine's disk is no fault of the control plane's. */
function here<Value>(work: Promise<Value>): Promise<Value> {
  return work.catch((error: unknown) => {
    throw new LocalFault(error instanceof Error ? error : new Error(String(error)));
  });
}

function tooLarge(size: number): PoolwrightError {
  return new PoolwrightError(
    'TOO_LARGE',
    `The workspace that the plan leaves has ${String(size)} bytes sealed, at most ${String(limits.workspace)} can be kept. ` +
      'Remove large files at the end of the plan, with an after_plan hook.',
  );
}
