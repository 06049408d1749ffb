// Answers of a container engine by hand, on a socket of their own, for what a real one does only on a bad day.
import http from 'node:http';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './temporary.js';

export interface Answer {
  /** Default: 200. */
  readonly status?: number;
  /** An object, or the lines of a stream. */
  readonly body: object | readonly object[];
  /** The stream stays open, as while the engine waits for somebody. */
  readonly hangs?: boolean;
}

export interface RecordedEngine {
  /** Path of its socket. */
  readonly socketPath: string;
  /** What it was asked for, such as `POST /images/create`. */
  readonly asked: readonly string[];
}

/** `answer` gets what `asked` has; without an answer it does not know what is asked for. Ends with the test. */
export async function startRecordedEngine(
  answer: (asked: string) => Answer | undefined,
): Promise<RecordedEngine> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://engine');
    const what = `${request.method ?? ''} ${decodeURIComponent(pathname.replace(/^\/v1\.\d+/, ''))}`;
    asked.push(what);
    const {
      status = 200,
      body,
      hangs = false,
    } = answer(what) ?? {
      status: 404,
      body: { message: 'not known' },
    };
    response.writeHead(status, { 'content-type': 'application/json' });
    for (const line of Array.isArray(body) ? (body as object[]) : [body])
      response.write(`${JSON.stringify(line)}\n`);
    if (!hangs) response.end();
  });
  const socketPath = join(await temporaryFolder(), 'engine.sock');
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { socketPath, asked };
}
