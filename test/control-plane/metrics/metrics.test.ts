// What monitoring reads: names that people have in their dashboards, counts that are right, and who may read them.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decideRun } from '../../../control-plane/cli/api/runs.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { loadedOfTraces } from '../../support/loaded.js';

let folder: string;
let plane: TestPlane;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-metrics-'));
  plane = await startControlPlane(folder, { launchers: 1 });
}, 180_000);
afterAll(async () => {
  await plane.close();
  await rm(folder, { recursive: true });
});

const scrape = async () => (await fetch(`${plane.url}/metrics`)).text();
/** The value of a metric with these labels. */
const valueOf = (text: string, name: string, labels: string): number =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name}${labels === '' ? ' ' : `{${labels}}`}`))
      ?.split(' ')
      .at(-1) ?? Number.NaN,
  );

describe('/metrics', () => {
  it('has every pool under the names that dashboards know', async () => {
    const { stack, run } = await plane.triggerRun({ planCommands: ['true'] });
    await plane.reached(stack, run, 'UNCONFIRMED');
    const text = await scrape();
    const labels = `worker_pool_id="${plane.pool}",worker_pool_name="test"`;
    for (const [name, value] of [
      ['spacelift_worker_pool_runs_pending', 0],
      ['spacelift_worker_pool_workers', 1],
      ['spacelift_worker_pool_workers_drained', 0],
    ] as const)
      expect(valueOf(text, name, labels), name).toBe(value);
    expect(valueOf(text, 'spacelift_worker_pool_workers_busy', labels)).toBeLessThanOrEqual(1);
    for (const name of ['runs_pending', 'workers_busy', 'parallelism'])
      expect(valueOf(text, `spacelift_public_worker_pool_${name}`, ''), name).toBe(0);
    const waits = `worker_pool_id="${plane.pool}"`;
    expect(valueOf(text, 'poolwright_run_queue_wait_seconds_count', waits)).toBeGreaterThanOrEqual(1);
  });

  it(
    'has the waits for a worker alone, not the time in which a person thinks about a plan',
    { timeout: 120_000 },
    async () => {
      const labels = `worker_pool_id="${plane.pool}"`;
      const wait = async (what: 'count' | 'sum') =>
        valueOf(await scrape(), `poolwright_run_queue_wait_seconds_${what}`, labels) || 0;
      const [count, sum] = [await wait('count'), await wait('sum')];
      const begun = performance.now();
      const { stack, run } = await plane.triggerRun({ planCommands: ['sleep 2'], applyCommands: ['true'] });
      await plane.reached(stack, run, 'UNCONFIRMED');
      const thought = performance.now();
      await sleep(5000);
      await decideRun(plane.client, 'confirm', stack, run);
      const waited = performance.now() - thought;
      await plane.reached(stack, run, 'FINISHED');
      expect(await wait('count')).toBe(count + 2);
      // One after the other in what is left of the time, together with the plan's two seconds.
      expect((await wait('sum')) - sum).toBeLessThan((performance.now() - begun - waited) / 1000 - 1.9);
    },
  );

  it('is all that is told where nobody asked for traces: nothing that sends them is loaded', () => {
    expect(loadedOfTraces()).toBe(0);
  });

  it('is for this machine, and elsewhere for whoever has the token', async () => {
    const token = (await readFile(join(folder, 'data', 'metrics-token'), 'utf8')).trim();
    expect(token.length).toBeGreaterThan(30);
    expect(await scrape()).not.toContain(token);
  });
});

describe('health', () => {
  it('is told when all is well', async () => {
    expect(await (await fetch(`${plane.url}/healthz`)).text()).toBe('ok');
    const ready = await fetch(`${plane.url}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([200, 'ready']);
  });

  it('is told by a method that has no body, too', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      request(`${plane.url}/healthz`, { method: 'HEAD' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
  });
});
