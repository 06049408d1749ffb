// Calls of the worker API that are made until they are answered: a try that fails, or is refused for the moment, is followed
// by another one.
import type http from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorCodes, messageOf, PoolwrightError, type ErrorCode } from '../../protocol/errors.js';
import { workerApiErrorSchema } from '../../protocol/worker-api.js';
import { createBackoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { HttpClient } from '../network/http-client.js';

export interface PatientCalls {
  /**
   * Tries again while there is no answer, `read` rejects, or the answer is UNAVAILABLE, INTERNAL or RATE_LIMITED. Throws
   * the PoolwrightError of any other answer, what a LocalFault has for its cause, and the signal's reason.
   */
  readonly perform: <Result>(
    call: Call,
    signal: AbortSignal,
    read: (response: http.IncomingMessage) => Promise<Result>,
  ) => Promise<Result>;
  /** See WorkerApi. */
  readonly hurry: () => void;
}

/** What a call needs of this machine cannot be done: asking again does not help. */
export class LocalFault extends Error {
  override readonly name = 'LocalFault';
  constructor(override readonly cause: Error) {
    super(cause.message);
  }
}

export interface PatientCallsOptions {
  /** To the endpoint. */
  readonly client: HttpClient;
  readonly endpoint: string;
  /** Bearer of every call. */
  readonly token: string;
  /** For the log. */
  readonly run: string;
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

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly type?: string;
  readonly body?: () => Body;
}

/** Milliseconds without a byte in either direction. */
const silence = { usual: 15_000, hurried: 1_500 } as const;
const largestAnswer = 64 * 1024;
/** Answers that may be others the next time. */
const passing: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'INTERNAL', 'RATE_LIMITED']);
const retry = { base: 250, ceiling: 5_000, hurried: 500 } as const;

export function createPatientCalls(options: PatientCallsOptions): PatientCalls {
  const { client, endpoint, token, run, clock, log } = options;
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
        if (error instanceof LocalFault) throw error.cause;
        if (error instanceof PoolwrightError && !passing.has(error.code)) throw error;
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

  return {
    perform,
    hurry() {
      patience = silence.hurried;
      hurried.abort();
      for (const request of underWay) request.setTimeout(patience);
    },
  };
}

function isStream(body: Body): body is FileBody {
  return typeof body === 'object' && 'stream' in body;
}

/** The whole of a short answer. */
export async function textOf(response: http.IncomingMessage): Promise<string> {
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

/** The error that the control plane names; for the page of a proxy in between UNAVAILABLE, or TOO_LARGE when it says so. */
function refusal(status: number, text: string): PoolwrightError {
  try {
    const { code, message } = workerApiErrorSchema.parse(JSON.parse(text));
    if (Object.hasOwn(errorCodes, code)) return new PoolwrightError(code as ErrorCode, message);
  } catch {
    // Not one of the control plane's answers: said below.
  }
  if (status === 413)
    return new PoolwrightError(
      'TOO_LARGE',
      'Something between this worker and the control plane does not let a request of this size through (HTTP status 413).',
    );
  return new PoolwrightError('UNAVAILABLE', `something answered with HTTP status ${String(status)}`);
}
