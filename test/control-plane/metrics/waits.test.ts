// How long runs waited for a worker, as monitoring and the chart of activity tell it: each wait by itself, without the time
// in which a worker had the run or a person thought about its plan.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createMetrics, type Metrics } from '../../../control-plane/metrics/metrics.js';
import { activity } from '../../../control-plane/runs/activity.js';
import { acceptRun, rejectRun } from '../../../control-plane/runs/attempts.js';
import { confirmRun, prioritizeRun } from '../../../control-plane/runs/decisions.js';
import { queuePosition } from '../../../control-plane/queue/waiting.js';
import {
  assigned,
  begun,
  eachWithRules,
  find,
  makeRun,
  makeStack,
  makeWorker,
  report,
  type Rules,
  type SimulatedWorker,
} from '../support/rules.js';

const second = 1000;
const hour = 3600 * second;
const changes = { add: 1, change: 0, destroy: 0, any: true };
const workspace = '01HZ0000000000000000000WWW';

let rules: Rules;
let pool: string;
let metrics: Metrics;
let worker: SimulatedWorker;
eachWithRules((given) => {
  ({ rules, pool } = given);
});
beforeEach(async () => {
  rules.now = Date.UTC(2026, 0, 1, 12);
  metrics = createMetrics(rules.context);
  worker = await makeWorker(rules, pool);
});
afterEach(() => {
  metrics.close();
});

/** Count and sum, in seconds, of all waits. */
async function observed(): Promise<readonly [number, number]> {
  const lines = (await metrics.text()).split('\n');
  const valueOf = (name: string) =>
    Number(
      lines
        .find((line) =>
          line.startsWith(`poolwright_run_queue_wait_seconds_${name}{worker_pool_id="${pool}"}`),
        )
        ?.split(' ')[1],
    );
  return [valueOf('count'), valueOf('sum')];
}

const charted = async () => (await activity(rules.context, '24h', { pool, spaces: null })).buckets.at(-1);

/** A run that was planned, which took 7 s of waiting; it waits for a person then. */
async function planned(autodeploy = false) {
  const { id } = await makeRun(rules, await makeStack(rules, pool, { autodeploy }));
  rules.now += 7 * second;
  const match = await assigned(rules, pool);
  await begun(rules, match);
  rules.now += 100 * second;
  await report(rules, match, 1, { k: 'state', s: 'PLANNING' }, { changes, workspace });
  await worker.heartbeat(null);
  return id;
}

const confirm = (run: string) => confirmRun(rules.context, { run, username: 'test' });

it('an apply waits from its confirmation on, however long its plan and the person took, and keeps its place', async () => {
  const run = await planned();
  expect(await observed()).toEqual([1, 7]);
  rules.now += hour;
  const other = await makeRun(rules, await makeStack(rules, pool));
  await confirm(run);
  expect(await queuePosition(rules.context, await find(rules, run))).toBe(1);
  expect(await queuePosition(rules.context, await find(rules, other.id))).toBe(2);
  rules.now += 3 * second;
  const match = await assigned(rules, pool);
  expect(match.run.id).toBe(run);
  expect(await observed()).toEqual([2, 10]);
  rules.now += 20 * second;
  await begun(rules, match);
  // Waits of 7 and 3 s; what the worker took to prepare is none.
  rules.now += 5 * second;
  expect(await charted()).toMatchObject({ assigned: 1, medianWait: 3 * second, longWait: 3 * second });
});

it('an apply that nobody has to confirm waits from the end of its plan on', async () => {
  await planned(true);
  rules.now += 4 * second;
  await begun(rules, await assigned(rules, pool));
  expect(await observed()).toEqual([2, 11]);
  expect(await charted()).toMatchObject({ assigned: 2, medianWait: 4 * second, longWait: 7 * second });
});

it('a run that is put back waits anew, for its plan and for its apply', async () => {
  const { id } = await makeRun(rules, await makeStack(rules, pool));
  const giveBack = async (after: number) => {
    const { run } = await assigned(rules, pool);
    expect(run.id).toBe(id);
    await acceptRun(rules.context, id, run.attempt, worker.id);
    rules.now += after;
    await rejectRun(rules.context, id, run.attempt, worker.id, { code: 'ENGINE_UNAVAILABLE', message: 'no' });
    await worker.heartbeat(null);
  };
  rules.now += 2 * second;
  await giveBack(50 * second);
  rules.now += 5 * second;
  const plan = await assigned(rules, pool);
  expect(await observed()).toEqual([2, 7]);
  await begun(rules, plan);
  await report(rules, plan, 1, { k: 'state', s: 'PLANNING' }, { changes, workspace });
  await worker.heartbeat(null);
  rules.now += 600 * second;
  await confirm(id);
  rules.now += second;
  await giveBack(50 * second);
  rules.now += 9 * second;
  // To be put in front is no new beginning of the wait.
  await prioritizeRun(rules.context, { run: id, username: 'test', prioritize: true });
  rules.now += second;
  const apply = await assigned(rules, pool);
  expect(await observed()).toEqual([4, 18]);
  await begun(rules, apply);
  // The wait before a worker gave the apply back is not in the history: the run did not leave its state.
  expect(await charted()).toMatchObject({ assigned: 3, medianWait: 5 * second, longWait: 10 * second });
});

it('a run that an older program left without the time waits since it was queued', async () => {
  const { id } = await makeRun(rules, await makeStack(rules, pool));
  await rules.context.db.updateTable('runs').set({ waiting_since: null }).where('id', '=', id).execute();
  rules.now += 6 * second;
  await assigned(rules, pool);
  expect(await observed()).toEqual([1, 6]);
});
