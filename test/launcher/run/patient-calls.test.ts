// Calls that get no answer, or one of somebody else, over real connections.
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../launcher/clock.js';
import { manualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';
import { answerOf, granted, inTurn, quick, serve } from './support/api-server.js';

const signal = AbortSignal.timeout(60_000);

function answer(socket: Socket): void {
  const body = '{"acknowledged":7}';
  socket.once('data', () =>
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`),
  );
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

describe('the API behind something that answers itself', () => {
  it.each(['302 Found', '407 Proxy Authentication Required', '429 Too Many Requests', '502 Bad Gateway'])(
    'asks again after %s',
    async (status) => {
      const { api, connections } = await serve(quick, inTurn(answerOf(status), granted));
      await api.accept(signal);
      expect(connections()).toBe(2);
    },
  );

  it('asks again when it asked too often', async () => {
    const limited = answerOf('429 Too Many Requests', '{"code":"RATE_LIMITED","message":"Too many."}');
    const { api, connections } = await serve(quick, inTurn(limited, granted));
    await api.accept(signal);
    expect(connections()).toBe(2);
  });

  it('says so when a request is too large for it', async () => {
    const { api } = await serve(quick, inTurn(answerOf('413 Request Entity Too Large')));
    await expect(api.sendSpool(Buffer.from('{}\n'), signal)).rejects.toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringContaining('between this worker and the control plane') as string,
    });
  });
});
