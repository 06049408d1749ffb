// The container engine: whether it answers, and its client, which is loaded when the first run needs it.
import http from 'node:http';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { sleep, type Clock } from '../clock.js';

const usualSocket = '/var/run/docker.sock';
/** Milliseconds. */
const answerWithin = 5000;

/** Asks the engine for a sign of life, without loading the client. `host`: DOCKER_HOST. Throws ENGINE_UNAVAILABLE. */
export async function pingEngine(host: string | undefined): Promise<void> {
  const { status } = await askEngine(host, '/_ping');
  if (status !== 200) throw unavailable(host, new Error(`HTTP status ${String(status)}`));
}

/** One question to the engine, without its client. Throws ENGINE_UNAVAILABLE when there is no answer. */
export function askEngine(
  host: string | undefined,
  path: string,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      reject(unavailable(host, error));
    };
    let target: http.RequestOptions;
    try {
      target = targetOf(host);
    } catch (error) {
      fail(error);
      return;
    }
    const request = http.get({ ...target, path, timeout: answerWithin }, (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, body });
      }, fail);
    });
    request.on('timeout', () =>
      request.destroy(new Error(`no answer within ${String(answerWithin / 1000)} s`)),
    );
    request.on('error', fail);
  });
}

function targetOf(host: string | undefined): http.RequestOptions {
  if (host === undefined || host === '') return { socketPath: usualSocket };
  const url = new URL(host);
  if (url.protocol === 'unix:') return { socketPath: url.pathname };
  if (url.protocol === 'tcp:' || url.protocol === 'http:')
    return { host: url.hostname, port: url.port || 2375 };
  throw new Error(`DOCKER_HOST has the scheme ${url.protocol}, expected unix or tcp`);
}

export async function loadClient(): Promise<Docker> {
  const { default: Client } = await import('dockerode');
  return new Client();
}

/** What an engine that does not answer looks like, for people. */
export function unavailable(host: string | undefined, error: unknown): PoolwrightError {
  const where = host === undefined || host === '' ? usualSocket : host;
  const code = error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);
  const advice =
    code === 'EACCES'
      ? 'Give this user the right to use the socket (group "docker").'
      : 'Start the container engine, or set POOLWRIGHT_EXECUTOR=host to run without containers.';
  return new PoolwrightError(
    'ENGINE_UNAVAILABLE',
    `The container engine at ${where} does not answer (${code}). ${advice}`,
    {
      cause: error,
    },
  );
}

/** Status of an answer of the engine; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined;
}

/**
 * Asks again while the engine does not answer at all, for `most` milliseconds: containers, and what runs in them, may
 * outlive a restart of it. Throws what the last try threw, also when nobody needs the answer any more (`over`).
 */
export async function patiently<Answer>(
  clock: Clock,
  most: number,
  ask: () => Promise<Answer>,
  over?: AbortSignal,
): Promise<Answer> {
  const end = clock.monotonic() + most;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (statusOf(error) !== undefined || clock.monotonic() >= end || over?.aborted === true) throw error;
      await sleep(clock, 500, over);
    }
  }
}
