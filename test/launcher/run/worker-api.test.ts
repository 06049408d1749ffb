// The worker's side of the API over real connections.
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../launcher/clock.js';
import { withoutProxies } from '../../../launcher/network/proxies.js';
import { createWorkerApi } from '../../../launcher/run/worker-api.js';
import { recordedLog } from '../support/log.js';
import { until } from '../support/until.js';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** The first connection carries nothing back, as after a lost NAT entry; the others work. */
async function serveButFirst() {
  const sockets: Socket[] = [];
  const answer = '{"acknowledged":7}';
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    if (sockets.length > 1)
      socket.once('data', () =>
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${String(answer.length)}\r\n\r\n${answer}`),
      );
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
    clock: systemClock,
    random: Math.random,
    log: recordedLog(),
  });
  closing.push(() => {
    api.close();
  });
  return { api, connections: () => sockets.length };
}

describe('the API that is in a hurry', () => {
  it('replaces a connection that is silent, also for what is under way', async () => {
    const { api, connections } = await serveButFirst();
    const sent = api.sendSpool(Buffer.from('{}\n'), new AbortController().signal);
    await until(() => connections() === 1, 'the first connection');
    api.hurry();
    // Below what it would wait otherwise, with room for a machine that is busy.
    const late = new Promise((resolve) => setTimeout(resolve, 10_000, 'late').unref());
    expect(await Promise.race([sent, late])).toBe(7);
    expect(connections()).toBe(2);
  });
});
