// What is done to a pool as a whole, with launchers that are real: cycle, reset, drain of all.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateKeyAndRequest } from '../../protocol/requests.js';
import { askerFor, type Asker } from '../control-plane/api/support/ask.js';
import { until } from '../launcher/support/until.js';
import { startControlPlane, type TestPlane } from '../support/control-plane.js';

let folder: string;
let plane: TestPlane;
let ask: Asker;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-operations-'));
  plane = await startControlPlane(folder);
  ask = await askerFor(plane, plane.key);
}, 180_000);
afterAll(async () => {
  await plane.close();
  await rm(folder, { recursive: true });
});

it(
  'a drain of all leaves every worker idle and without work until it is taken back',
  { timeout: 120_000 },
  async () => {
    const launchers = [await plane.startLauncher(), await plane.startLauncher()];
    await plane.idle(2);
    const drain = (on: boolean) =>
      ask.data<{ workerPoolDrainSet: { busy: boolean; drained: boolean }[] }>(
        'mutation ($id: ID!, $on: Boolean!) { workerPoolDrainSet(id: $id, drain: $on) { busy drained } }',
        { id: plane.pool, on },
      );
    const idle = { busy: false, drained: true };
    expect((await drain(true)).workerPoolDrainSet).toEqual([idle, idle]);
    const { stack, run } = await plane.triggerRun({ planCommands: ['true'] });
    expect((await plane.run(stack, run)).waitReason).toContain('no idle worker: 2 of 2 drained');
    await drain(false);
    await plane.reached(stack, run, 'UNCONFIRMED');
    for (const { process } of launchers) expect(process.exitCode).toBeNull();
  },
);

it('a cycle ends every idle worker within 20 seconds', { timeout: 120_000 }, async () => {
  await plane.idle(2);
  const before = await plane.workers();
  await ask.data('mutation ($id: ID!) { workerPoolCycle(id: $id) }', { id: plane.pool });
  const told = Date.now();
  while ((await plane.workers()).some(({ id }) => before.some((worker) => worker.id === id))) {
    // The contract's own bound: what is slower breaks a promise, however busy the machine.
    expect(Date.now() - told, 'milliseconds since the cycle').toBeLessThan(20_000);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

it('a reset cuts the old workers off at once, and their log says why', { timeout: 120_000 }, async () => {
  const launcher = await plane.startLauncher();
  await plane.idle(1);
  const { request } = await generateKeyAndRequest();
  await ask.data(
    'mutation ($id: ID!, $csr: String!) { workerPoolReset(id: $id, certificateSigningRequest: $csr) { id } }',
    { id: plane.pool, csr: request },
  );
  await launcher.ended;
  expect(launcher.output()).toContain('the worker pool was reset');
  await until(async () => (await plane.workers()).length === 0, 'the old worker to be gone', 30_000);
});
