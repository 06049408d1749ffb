// Workers that can take no run say so, and workers that were lost are what people made of them when they come back.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { setDrained } from '../../../control-plane/pools/workers.js';
import { assignNext } from '../../../control-plane/queue/assign.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { waitReason } from '../../../control-plane/queue/waiting.js';
import { acceptRun, rejectRun } from '../../../control-plane/runs/attempts.js';
import { rhythm } from '../../../protocol/limits.js';
import {
  assigned,
  find,
  makePool,
  makeRun,
  makeStack,
  makeWorker,
  openRules,
  type Rules,
} from '../support/rules.js';

let rules: Rules;
let pool: string;

beforeAll(async () => {
  rules = await openRules();
});
beforeEach(async () => {
  await rules.reset();
  pool = await makePool(rules);
});
afterAll(() => rules.close());

describe('a worker that can take no run', () => {
  it('gets none until it says that it can, and the run that waits says why', async () => {
    const worker = await makeWorker(rules, pool);
    await worker.heartbeat(null, false, 'The worker has 3 MB left.');
    const run = await makeRun(rules, await makeStack(rules, pool));
    expect(await assignNext(rules.context, pool)).toBeUndefined();
    expect(await waitReason(rules.context, await find(rules, run.id))).toContain(
      'no idle worker: 1 of 1 not able to take one (The worker has 3 MB left)',
    );
    await worker.heartbeat(null);
    expect((await assigned(rules, pool)).run.id).toBe(run.id);
  });

  it('is not given the run again that it has given back', async () => {
    const worker = await makeWorker(rules, pool);
    const run = await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await acceptRun(rules.context, run.id, match.run.attempt, worker.id);
    await rejectRun(rules.context, run.id, match.run.attempt, worker.id, {
      code: 'DISK_FULL',
      message: 'The worker has 3 MB left.',
    });
    expect((await find(rules, run.id)).state).toBe('QUEUED');
    expect(await assignNext(rules.context, pool)).toBeUndefined();
    await worker.heartbeat(null);
    expect(await assignNext(rules.context, pool)).toBeDefined();
  });

  it('does not make the run fail that it gives back, as while its engine is started again, but not for ever', async () => {
    const worker = await makeWorker(rules, pool);
    const run = await makeRun(rules, await makeStack(rules, pool));
    const giveBack = async () => {
      await worker.heartbeat(null);
      const { attempt } = (await assigned(rules, pool)).run;
      await rejectRun(rules.context, run.id, attempt, worker.id, {
        code: 'ENGINE_UNAVAILABLE',
        message: 'The container engine does not answer.',
      });
    };
    for (let times = 0; times < 12; times += 1) {
      await giveBack();
      expect((await find(rules, run.id)).state).toBe('QUEUED');
    }
    await giveBack();
    expect(await find(rules, run.id)).toMatchObject({
      state: 'FAILED',
      failure_code: 'ENGINE_UNAVAILABLE',
    });
  });
});

describe('a worker that is lost', () => {
  async function lose(): Promise<void> {
    rules.now += rhythm.lostAfter + 1;
    await sweep(rules.context);
    expect(await rules.context.db.selectFrom('workers').select('id').execute()).toEqual([]);
  }

  it('comes back drained when it was drained while its line was broken, and does not know it', async () => {
    const worker = await makeWorker(rules, pool);
    await worker.gone(false);
    expect((await setDrained(rules.context, pool, worker.id, true)).run_id).toBeNull();
    await lose();
    await worker.register(null, false);
    await makeRun(rules, await makeStack(rules, pool));
    expect(await assignNext(rules.context, pool)).toBeUndefined();
  });

  it('comes back undrained when that was decided while its line was broken', async () => {
    const worker = await makeWorker(rules, pool);
    await setDrained(rules.context, pool, worker.id, true);
    await worker.gone(false);
    await setDrained(rules.context, pool, worker.id, false);
    await lose();
    await worker.register(null, true);
    await makeRun(rules, await makeStack(rules, pool));
    expect(await assignNext(rules.context, pool)).toBeDefined();
  });
});
