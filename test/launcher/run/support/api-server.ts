// A server for the worker's side of the API that a test writes every byte of.
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { systemClock, type Clock } from '../../../../launcher/clock.js';
import { withoutProxies } from '../../../../launcher/network/proxies.js';
import { createWorkerApi, type WorkerApi } from '../../../../launcher/run/worker-api.js';
import { recordedLog } from '../../support/log.js';

/** `accept` gets each connection, and its number from 1. */
export async function serve(
  clock: Clock,
  accept: (socket: Socket, number: number) => void,
): Promise<{ readonly api: WorkerApi; readonly connections: () => number }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    accept(socket, sockets.length);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const api = createWorkerApi({
    endpoint: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    token: 't',
    run: 'r',
    attempt: 1,
    authorities: () => [],
    own: { authorities: [], now: () => Date.now() },
    proxies: withoutProxies,
    clock,
    random: () => 0.999,
    log: recordedLog(),
  });
  onTestFinished(() => {
    api.close();
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { api, connections: () => sockets.length };
}

/** Answers one request after the other with these, and the last one for all that follow. */
export function inTurn(...answers: readonly string[]) {
  return (socket: Socket, number: number): void => {
    socket.once('data', () => socket.end(answers[Math.min(number, answers.length) - 1] ?? ''));
  };
}

/** An answer with a body, by default the page of something in between. */
export function answerOf(status: string, body = '<html>Log in</html>'): string {
  return `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`;
}
export const granted = 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n';

/** As if no time had to pass. */
export const quick: Clock = { ...systemClock, after: (_wait, callback) => systemClock.after(1, callback) };
