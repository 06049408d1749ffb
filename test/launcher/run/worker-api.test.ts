// The worker's side of the API over real connections.
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../../launcher/clock.js';
import { withoutProxies } from '../../../launcher/network/proxies.js';
import { createWorkerApi } from '../../../launcher/run/worker-api.js';
import { recordedLog } from '../support/log.js';
import { manualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

function answer(socket: Socket): void {
  const body = '{"acknowledged":7}';
  socket.once('data', () =>
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`),
  );
}

/** `accept` gets each connection, and its number from 1. */
async function serve(clock: Clock, accept: (socket: Socket, number: number) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    accept(socket, sockets.length);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
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
  closing.push(() => {
    api.close();
  });
  return { api, connections: () => sockets.length };
}

describe('the API that is in a hurry', () => {
  it('replaces a connection that is silent, also for what is under way', async () => {
    // The first connection carries nothing back, as after a lost NAT entry.
    const { api, connections } = await serve(systemClock, (socket, number) => {
      if (number > 1) answer(socket);
    });
    const sent = api.sendSpool(Buffer.from('{}\n'), new AbortController().signal);
    await until(() => connections() === 1, 'the first connection');
    api.hurry();
    // Below what it would wait otherwise, with room for a machine that is busy.
    const late = new Promise((resolve) => setTimeout(resolve, 10_000, 'late').unref());
    expect(await Promise.race([sent, late])).toBe(7);
    expect(connections()).toBe(2);
  });

  it('does not wait for the next try, which may be the last one that there is time for', async () => {
    const clock = manualClock();
    const { api, connections } = await serve(clock, (socket, number) => {
      if (number < 3) socket.destroy();
      else answer(socket);
    });
    const sent = api.sendSpool(Buffer.from('{}\n'), new AbortController().signal);
    await until(() => clock.waiting() === 1, 'the wait for the second try');
    api.hurry();
    await until(() => connections() === 2 && clock.waiting() === 1, 'the wait for the third try');
    clock.advance(500);
    expect(await sent).toBe(7);
  });
});
