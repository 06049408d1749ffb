// Runs in pods whose controller is away: what the pod says of itself keeps them, and nothing brings back a run that counts
// as lost.
import { expect, it } from 'vitest';
import { noteSignOfLife } from '../../../control-plane/pools/signs-of-life.js';
import { listWorkers } from '../../../control-plane/pools/workers.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import type { Match } from '../../../control-plane/queue/assign.js';
import type { WorkerRow } from '../../../control-plane/store/schema.js';
import { rhythm } from '../../../protocol/limits.js';
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

let rules: Rules;
let pool: string;
let match: Match;
eachWithRules((given) => {
  ({ rules, pool } = given);
});

/** A worker with a run that has begun, out of contact since now. */
async function outOfContact(executor: WorkerRow['executor']): Promise<SimulatedWorker> {
  const worker = await makeWorker(rules, pool, executor);
  await makeRun(rules, await makeStack(rules, pool));
  match = await assigned(rules, pool);
  await begun(rules, match);
  await worker.gone(false);
  return worker;
}

const sign = () =>
  noteSignOfLife(rules.context, { run: match.run.id, attempt: match.run.attempt, worker: match.worker.id });
const run = () => find(rules, match.run.id);
const pass = async (milliseconds: number) => {
  rules.now += milliseconds;
  await sweep(rules.context);
};

it('keep a run for as long as they come, and no longer', async () => {
  await outOfContact('pod');
  for (let minutes = 0; minutes < 12; minutes += 1) {
    await pass(rhythm.podSign);
    await sign();
  }
  expect(await run()).toMatchObject({ state: 'INITIALIZING', worker_id: match.worker.id, begun: true });
  await pass(rhythm.podLostAfter - 1);
  expect(await run()).toMatchObject({ begun: true });
  await pass(1);
  expect(await run()).toMatchObject({ state: 'FAILED', failure_code: 'WORKER_LOST', worker_id: null });
  expect(await listWorkers(rules.context, pool)).toEqual([]);
});

it('let the next controller go on with the run, long after the time for its return', async () => {
  const worker = await outOfContact('pod');
  for (let minutes = 0; minutes < 8; minutes += 1) {
    await pass(rhythm.podSign);
    await sign();
  }
  const held = { run: match.run.id, attempt: match.run.attempt, begun: true };
  await worker.register(held);
  expect(rules.sent.map(({ body }) => body.type)).not.toContain('stop');
  await report(rules, match, 1, { changes: { add: 0, change: 0, destroy: 0, any: false } });
  expect(await run()).toMatchObject({ state: 'FINISHED' });
});

it('bring nothing back that counts as lost: the pod is told to end', async () => {
  await outOfContact('pod');
  await pass(rhythm.podLostAfter);
  expect(await run()).toMatchObject({ state: 'FAILED' });
  await expect(sign()).rejects.toMatchObject({ code: 'STALE_ATTEMPT' });
  expect(await listWorkers(rules.context, pool)).toEqual([]);
});

it('keep no worker that has said that it goes', async () => {
  const worker = await outOfContact('pod');
  await worker.register({ run: match.run.id, attempt: match.run.attempt, begun: true });
  await Promise.all([worker.gone(true), sign().catch(() => undefined)]);
  await pass(1);
  expect(await listWorkers(rules.context, pool)).toEqual([]);
});

it('say nothing about launchers on machines, whose runs are theirs', async () => {
  await outOfContact('host');
  await sign();
  await pass(rhythm.lostAfter);
  expect(await run()).toMatchObject({ state: 'FAILED' });
});

it('and say nothing about the contact with a controller', async () => {
  await outOfContact('pod');
  const [before] = await listWorkers(rules.context, pool);
  await pass(rhythm.podSign);
  await sign();
  const [after] = await listWorkers(rules.context, pool);
  expect(after).toMatchObject({ connected: false, last_contact_at: before?.last_contact_at });
});

// Whichever of the two is first: the run is kept and so is its worker, or both are gone and the pod hears of it.
it.each([0, -1])('meet the end of the time to return (%d ms)', async (off) => {
  for (let time = 0; time < 4; time += 1) {
    await outOfContact('pod');
    rules.now += rhythm.podLostAfter + off;
    const acts = [() => sweep(rules.context), () => sign()];
    if (time % 2 === 1) acts.reverse();
    await Promise.allSettled(acts.map((act) => act()));
    await pass(1);
    const { worker_id, state } = await run();
    const there = (await listWorkers(rules.context, pool)).some(({ id }) => id === match.worker.id);
    expect(there).toBe(worker_id !== null);
    if (worker_id === null) {
      expect(state).toBe('FAILED');
      await expect(sign()).rejects.toMatchObject({ code: 'STALE_ATTEMPT' });
    }
    if (off < 0) expect(worker_id).toBe(match.worker.id);
    await pass(2 * rhythm.podLostAfter);
  }
});
