// A connection that is cut without a FIN: both sides notice by themselves, in seconds, on each transport, and the run goes
// on.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { nextFreePort } from '../../control-plane/local/ports.js';
import { serve } from '../../control-plane/serve.js';
import { decodeToken, encodeToken } from '../../protocol/token.js';
import { startProxy } from '../launcher/support/proxy.js';
import { until } from '../launcher/support/until.js';
import { aroundControlPlane, logOf, type TestLauncher } from '../support/control-plane.js';

/** Seconds until the launcher says so. */
async function noticed({ output }: TestLauncher): Promise<number> {
  const begun = performance.now();
  const before = output().length;
  await until(() => output().includes('Not connected', before), 'the launcher to notice', 60_000);
  return (performance.now() - begun) / 1000;
}

describe('launchers whose connection is cut without FIN', () => {
  it('come back by themselves and keep their run', { timeout: 150_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'poolwright-half-open-'));
    const port = 30_000 + Math.floor(Math.random() * 10_000);
    const broker = await nextFreePort('127.0.0.1', port);
    const api = await nextFreePort('127.0.0.1', port + 500);
    const ways = { tls: await startProxy(broker), webSocket: await startProxy(api) };
    const controlPlane = await serve({
      dataDirectory: join(folder, 'data'),
      listen: { host: '127.0.0.1', port: api },
      brokerListen: { host: '127.0.0.1', port: broker },
    });
    const plane = await aroundControlPlane(folder, controlPlane);
    const token = decodeToken(plane.token);
    const by = (endpoint: number, webSocket: number) => ({
      SPACELIFT_TOKEN: encodeToken({
        ...token,
        broker: {
          endpoint: `ssl://127.0.0.1:${String(endpoint)}`,
          webSocket: `ws://127.0.0.1:${String(webSocket)}/worker/v1/mqtt`,
        },
      }),
    });
    try {
      // Each has one way that works: on port 1 nobody listens.
      const launchers = {
        tls: await plane.startLauncher(by(ways.tls.port, 1)),
        webSocket: await plane.startLauncher(by(1, ways.webSocket.port)),
      };
      await plane.idle(2);
      const before = (await plane.workers()).map(({ id }) => id);
      const { stack, run } = await plane.triggerRun({ planCommands: ['echo before; sleep 25; echo after'] });
      await until(
        async () => (await logOf(plane, stack, run, 'PLANNING').catch(() => '')).includes('before'),
        'the first line',
        20_000,
      );
      const taken = { tls: ways.tls.taken(), webSocket: ways.webSocket.taken() };
      ways.tls.freeze();
      ways.webSocket.freeze();
      const delays = monitorEventLoopDelay();
      delays.enable();
      const seconds = await Promise.all([noticed(launchers.tls), noticed(launchers.webSocket)]);
      delays.disable();
      process.stdout.write(
        `half-open connections noticed after ${seconds.map((each) => each.toFixed(1)).join(' s (TLS) and ')} s (WebSocket)\n`,
      );
      // On a machine that is busy launchers come to their turn as late as this process does.
      expect(Math.max(...seconds)).toBeLessThan(15 + (2 * delays.max) / 1e9);
      await until(
        () => ways.tls.taken() > taken.tls && ways.webSocket.taken() > taken.webSocket,
        'second connections',
        30_000,
      );
      const done = await plane.reached(stack, run, 'UNCONFIRMED', 'FAILED');
      expect(done.failure).toBeNull();
      expect(done.attempt).toBe(1);
      await until(
        async () => (await plane.workers()).every(({ connected }) => connected),
        'both to be connected',
        30_000,
      );
      expect((await plane.workers()).map(({ id }) => id)).toEqual(before);
    } finally {
      await plane.close();
      for (const way of Object.values(ways)) await way.close();
      await rm(folder, { recursive: true });
    }
  });
});
