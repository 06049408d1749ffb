// The HTTPS side of one attempt at a run: accept, begin, log, objects. See docs/protocol.md, "Worker API".
import { createReadStream, createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import type http from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type * as z from 'zod';
import { errorCodes, messageOf, PoolwrightError, type ErrorCode } from '../../protocol/errors.js';
import { limits } from '../../protocol/limits.js';
import {
  spoolAnswerSchema,
  workerApi,
  workerApiErrorSchema,
  workspaceAnswerSchema,
} from '../../protocol/worker-api.js';
import { createBackoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import { createHttpClient, type HttpClient, type OwnAuthorities } from '../network/http-client.js';
import type { ProxySettings } from '../network/proxies.js';

/** Every call tries again while there is no answer or the answer is UNAVAILABLE, until the signal ends it. */
export interface WorkerApi {
  /** Throws STALE_ATTEMPT. */
  accept(signal: AbortSignal): Promise<void>;
  /** Throws STALE_ATTEMPT, CONFLICT. */
  reject(reason: { readonly code: string; readonly message: string }, signal: AbortSignal): Promise<void>;
  /** After it the first command may run. Throws STALE_ATTEMPT. */
  begin(signal: AbortSignal): Promise<void>;
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

/** Bytes at hand, or a stream of a known size; made anew for each try. */
type Body = Buffer | string | FileBody;

interface FileBody {
  readonly stream: Readable;
  readonly size: number;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly type?: string;
  readonly body?: () => Body;
}

/** Milliseconds without a byte in either direction. */
const silence = { usual: 15_000, hurried: 1_500 } as const;
const largestAnswer = 64 * 1024;
const retry = { base: 250, ceiling: 5_000, hurried: 500 } as const;

export function createWorkerApi(options: WorkerApiOptions): WorkerApi {
  const { endpoint, token, run, attempt, clock, log } = options;
  const shared = 'client' in options;
  const client = shared ? options.client : createHttpClient(options);
  const underWay = new Set<http.ClientRequest>();
  let patience: number = silence.usual;
  const hurried = new AbortController();

  /** One try. Answers the response when it is a success. Throws a PoolwrightError of the answer, or UNAVAILABLE. */
  async function attemptCall(call: Call, signal: AbortSignal): Promise<http.IncomingMessage> {
    const body = call.body?.();
    const size = body === undefined ? 0 : isStream(body) ? body.size : Buffer.byteLength(body);
    const request = client.request(call.path, {
      method: call.method,
      signal,
      timeout: patience,
      headers: {
        authorization: `Bearer ${token}`,
        ...(call.method === 'GET' ? {} : { 'content-length': String(size) }),
        ...(call.type === undefined ? {} : { 'content-type': call.type }),
      },
    });
    underWay.add(request);
    request.on('close', () => underWay.delete(request));
    request.on('timeout', () => request.destroy(new Error(`no byte for ${String(patience / 1000)} s`)));
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.on('error', reject);
    });
    // An early refusal closes the connection while the body is still going out: the answer counts.
    const sent =
      body === undefined ? undefined : isStream(body) ? pipeline(body.stream, request) : request.end(body);
    if (sent === undefined) request.end();
    const response = await (sent instanceof Promise
      ? Promise.race([answered, sent.then(() => answered)])
      : answered);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw refusal(status, await textOf(response));
  }

  async function perform<Result>(
    call: Call,
    signal: AbortSignal,
    read: (response: http.IncomingMessage) => Promise<Result>,
  ): Promise<Result> {
    const backoff = createBackoff({ ...retry, random: options.random });
    let told = false;
    for (;;) {
      signal.throwIfAborted();
      try {
        return await read(await attemptCall(call, signal));
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof PoolwrightError && error.code !== 'UNAVAILABLE' && error.code !== 'INTERNAL')
          throw error;
        if (!told)
          log.warn(`${new URL(endpoint).origin} does not answer (${messageOf(error)}). Trying again.`, {
            run,
          });
        told = true;
        await pause(backoff.next(), signal);
      }
    }
  }

  async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    if (hurried.signal.aborted) await sleep(clock, Math.min(milliseconds, retry.hurried), signal);
    else await sleep(clock, milliseconds, AbortSignal.any([signal, hurried.signal]));
  }

  const nothing = (response: http.IncomingMessage) => textOf(response).then(() => undefined);
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
        await rm(file, { force: true });
        await pipeline(response, createWriteStream(file, { flags: 'wx', mode: 0o600 }), { signal });
      }),
    hurry() {
      patience = silence.hurried;
      hurried.abort();
      for (const request of underWay) request.setTimeout(patience);
    },
    close() {
      if (!shared) client.close();
    },
  };
}

function isStream(body: Body): body is FileBody {
  return typeof body === 'object' && 'stream' in body;
}

async function textOf(response: http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response) {
    const bytes = part as Buffer;
    size += bytes.length;
    if (size > largestAnswer) throw new Error('the answer is longer than any of the control plane');
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The error that the control plane names; UNAVAILABLE for the page of a proxy in between. */
function refusal(status: number, text: string): PoolwrightError {
  try {
    const { code, message } = workerApiErrorSchema.parse(JSON.parse(text));
    if (Object.hasOwn(errorCodes, code)) return new PoolwrightError(code as ErrorCode, message);
  } catch {
    // Not one of the control plane's answers: said below.
  }
  return new PoolwrightError('UNAVAILABLE', `something answered with HTTP status ${String(status)}`);
}

function tooLarge(size: number): PoolwrightError {
  return new PoolwrightError(
    'TOO_LARGE',
    `The workspace that the plan leaves has ${String(size)} bytes sealed, at most ${String(limits.workspace)} can be kept. ` +
      'Remove large files at the end of the plan, with an after_plan hook.',
  );
}
