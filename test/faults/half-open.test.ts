// A connection that is cut without a FIN: both sides notice by themselves, in seconds, and the run goes on.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nextFreePort } from '../../control-plane/local/ports.js';
import { serve } from '../../control-plane/serve.js';
import { startProxy } from '../launcher/support/proxy.js';
import { until } from '../launcher/support/until.js';
import { aroundControlPlane, logOf } from '../support/control-plane.js';

describe('a launcher whose connection is cut without FIN', () => {
  it('comes back by itself and keeps its run', { timeout: 90_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'poolwright-half-open-'));
    const broker = await nextFreePort('127.0.0.1', 30_000 + Math.floor(Math.random() * 10_000));
    const proxy = await startProxy(broker);
    const controlPlane = await serve({
      dataDirectory: join(folder, 'data'),
      listen: { host: '127.0.0.1', port: 0 },
      brokerListen: { host: '127.0.0.1', port: broker },
      brokerEndpoint: { host: '127.0.0.1', port: proxy.port },
    });
    const plane = await aroundControlPlane(folder, controlPlane, { launchers: 1 });
    try {
      const { stack, run } = await plane.triggerRun({ planCommands: ['echo before; sleep 25; echo after'] });
      await until(
        async () => (await logOf(plane, stack, run, 'PLANNING').catch(() => '')).includes('before'),
        'the first line',
        20_000,
      );
      const [before] = await plane.workers();
      proxy.freeze();
      await until(() => proxy.taken() === 2, 'a second connection', 30_000);
      const done = await plane.reached(stack, run, 'UNCONFIRMED', 'FAILED');
      expect(done.failure).toBeNull();
      expect(done.attempt).toBe(1);
      expect((await plane.workers()).map(({ id }) => id)).toEqual([before?.id]);
    } finally {
      await plane.close();
      await proxy.close();
      await rm(folder, { recursive: true });
    }
  });
});
