// A control plane whose broker is a mosquitto: runs end to end, resets, and a broker that is killed.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resetPool } from '../../control-plane/cli/api/pools.js';
import { openAuthority } from '../../control-plane/pools/authority.js';
import { createFileSecrets } from '../../control-plane/store/secrets.js';
import { until } from '../launcher/support/until.js';
import { keyAndRequest, rsaSha256 } from '../protocol/support/fixtures.js';
import { logOf, startControlPlane, type TestPlane } from '../support/control-plane.js';
import { hasMosquitto, startMosquitto, type TestMosquitto } from '../support/mosquitto.js';

describe.skipIf(!hasMosquitto('a broker elsewhere'))('a broker elsewhere', { timeout: 90_000 }, () => {
  let folder: string;
  let mosquitto: TestMosquitto;
  let plane: TestPlane;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-elsewhere-'));
    const data = join(folder, 'data');
    const { authority } = await openAuthority(createFileSecrets(data), join(data, 'authority'), Date.now());
    mosquitto = await startMosquitto(authority);
    plane = await startControlPlane(folder, { launchers: 1, serve: { brokerUrl: mosquitto.url } });
  });
  afterEach(async () => {
    await plane.close();
    await mosquitto.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('carries runs, and is killed and started again without a run or worker being lost', async () => {
    const command = 'i=0; while [ $i -lt 150 ]; do echo "line $i"; i=$((i+1)); sleep 0.02; done';
    const { stack, run } = await plane.triggerRun({}, { task: command });
    await until(
      async () => (await logOf(plane, stack, run, 'PERFORMING')).includes('line 3\n'),
      'some lines',
      20_000,
    );
    const [worker] = await plane.workers();
    await mosquitto.end('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await mosquitto.start();
    const done = await plane.reached(stack, run, 'FINISHED', 'FAILED');
    expect(done.failure).toBeNull();
    expect(done.attempt).toBe(1);
    await plane.idle(1);
    expect((await plane.workers()).map(({ id }) => id)).toEqual([worker?.id]);
    const next = await plane.triggerRun({}, { task: 'echo after' });
    await plane.reached(next.stack, next.run, 'FINISHED');
  });

  it('ends the workers of before a reset by message, and refuses their registrations with the reason', async () => {
    const { privateKey: key, csr: request } = await keyAndRequest(rsaSha256);
    const old = { token: plane.token, key: plane.privateKey };
    const { token } = await resetPool(plane.client, { id: plane.pool, certificateSigningRequest: request });
    await until(async () => (await plane.workers()).length === 0, 'the old worker to be gone', 20_000);
    // mosquitto lets the old certificate in; the control plane does not.
    const again = await plane.startLauncher({
      SPACELIFT_TOKEN: old.token,
      SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(old.key).toString('base64'),
    });
    await again.ended;
    expect(again.output()).toContain('Give it the pool');
    expect(await plane.workers()).toEqual([]);
    await plane.startLauncher({
      SPACELIFT_TOKEN: token,
      SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(key).toString('base64'),
    });
    await plane.idle(1);
  });
});
