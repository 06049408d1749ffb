// Who goes next: fair turns between stacks, priorities, locks, dependencies, drift and its limit.
import { ulid } from 'ulid';
import { describe, expect, it } from 'vitest';
import { createSpace } from '../../../control-plane/access/spaces.js';
import { updatePool } from '../../../control-plane/pools/pools.js';
import { assignNext } from '../../../control-plane/queue/assign.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { searchSchedulableRuns } from '../../../control-plane/queue/schedulable.js';
import { queuePosition, waitReason } from '../../../control-plane/queue/waiting.js';
import { cancelRun, confirmRun, prioritizeRun } from '../../../control-plane/runs/decisions.js';
import { listRuns } from '../../../control-plane/runs/runs.js';
import { addDependency, removeDependency } from '../../../control-plane/stacks/dependencies.js';
import { releaseLock, setDisabled, setLock } from '../../../control-plane/stacks/locks.js';
import { updateStack } from '../../../control-plane/stacks/stacks.js';
import { publicPoolId } from '../../../control-plane/store/pool-tables.js';
import {
  assigned,
  begun,
  eachWithRules,
  find,
  makePool,
  makeRun,
  makeStack,
  makeWorker,
  report,
  type Rules,
} from '../support/rules.js';

let rules: Rules;
let pool: string;
eachWithRules((given) => {
  ({ rules, pool } = given);
});

const by = (run: string) => ({ run, username: 'test' });
const changes = { add: 1, change: 0, destroy: 0, any: true };
const workspace = '01HZ0000000000000000000WWW';
const reasonOf = async (id: string) => waitReason(rules.context, await find(rules, id));

/** Gives the next run to the pool's worker, finishes it, and answers whose it was. */
async function next(): Promise<{ id: string; stack: string } | undefined> {
  const match = await assignNext(rules.context, pool);
  if (match === undefined) return undefined;
  await begun(rules, match);
  const noChanges = { ...changes, add: 0, any: false };
  await report(rules, match, 1, { changes: noChanges });
  await rules.context.db
    .updateTable('workers')
    .set({ run_id: null })
    .where('id', '=', match.worker.id)
    .execute();
  return { id: match.run.id, stack: match.run.stack_id };
}

describe('a stack with many runs', () => {
  it.each(['PROPOSED', 'TRACKED'] as const)(
    'waits for one run of everybody else between two of its own: %s',
    async (type) => {
      await makeWorker(rules, pool);
      const greedy = await makeStack(rules, pool);
      for (let count = 0; count < 12; count += 1) await makeRun(rules, greedy, { type });
      const first = await next();
      expect(first?.stack).toBe(greedy);
      const others = [await makeStack(rules, pool), await makeStack(rules, pool)];
      for (const stack of others)
        for (let count = 0; count < 2; count += 1) await makeRun(rules, stack, { type });
      const order = [];
      for (let turn = 0; turn < 6; turn += 1) order.push((await next())?.stack);
      // Two rounds, each stack once in each.
      for (const round of [order.slice(0, 3), order.slice(3)])
        expect(new Set(round)).toEqual(new Set([greedy, ...others]));
    },
  );

  it('does not pay for runs that were canceled', async () => {
    await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    const runs = [];
    for (let count = 0; count < 20; count += 1) runs.push(await makeRun(rules, stack, { type: 'PROPOSED' }));
    for (const { id } of runs) await cancelRun(rules.context, by(id));
    const other = await makeStack(rules, pool);
    const one = await makeRun(rules, stack, { type: 'PROPOSED' });
    for (let count = 0; count < 5; count += 1) await makeRun(rules, other, { type: 'PROPOSED' });
    const order = [(await next())?.id, (await next())?.id];
    expect(order).toContain(one.id);
  });

  it('keeps its turns when it moves to another pool', async () => {
    const elsewhere = await makePool(rules);
    const stack = await makeStack(rules, elsewhere);
    const runs = [];
    for (let count = 0; count < 3; count += 1) runs.push(await makeRun(rules, stack, { type: 'PROPOSED' }));
    await updateStack(rules.context, stack, { poolId: pool });
    await makeWorker(rules, pool);
    for (const { id } of runs) expect((await next())?.id).toBe(id);
  });
});

describe('priority', () => {
  it('puts a run in front of all others, and takes it back', async () => {
    await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    const [first, second] = [await makeRun(rules, stack), await makeRun(rules, stack)];
    await prioritizeRun(rules.context, { ...by(second.id), prioritize: true });
    expect(await queuePosition(rules.context, await find(rules, second.id))).toBe(1);
    expect(await reasonOf(first.id)).toContain(`waits for run ${second.id} of the same stack`);
    await prioritizeRun(rules.context, { ...by(second.id), prioritize: false });
    expect((await next())?.id).toBe(first.id);
    await expect(prioritizeRun(rules.context, { ...by(first.id), prioritize: true })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });
});

describe('a lock', () => {
  it('lets only runs of its holder start, and says so; runs that change nothing go on', async () => {
    await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    const waiting = await makeRun(rules, stack);
    await setLock(rules.context, stack, { by: 'ada', note: 'looking at it' });
    await expect(setLock(rules.context, stack, { by: 'bob', note: null })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    await expect(makeRun(rules, stack)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await reasonOf(waiting.id)).toMatch(
      /^its stack is locked by ada: looking at it; ends as CANCELED at /,
    );
    const proposed = await makeRun(rules, stack, { type: 'PROPOSED' });
    const own = await makeRun(rules, stack, { requestedBy: 'ada' });
    expect([(await next())?.id, (await next())?.id].sort()).toEqual([proposed.id, own.id].sort());
    expect(await next()).toBeUndefined();
    await releaseLock(rules.context, stack);
    expect((await next())?.id).toBe(waiting.id);
  });
});

describe('a disabled stack', () => {
  it('starts nothing until it is enabled', async () => {
    await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    const runs = [await makeRun(rules, stack), await makeRun(rules, stack, { type: 'PROPOSED' })];
    await setDisabled(rules.context, stack, true);
    expect(await next()).toBeUndefined();
    for (const { id } of runs) expect(await reasonOf(id)).toMatch(/^its stack is disabled/);
    await setDisabled(rules.context, stack, false);
    expect([await next(), await next()].map((run) => run?.id).sort()).toEqual(
      runs.map(({ id }) => id).sort(),
    );
  });
});

describe('a stack that depends on another', () => {
  async function chain() {
    const [up, down] = [await makeStack(rules, pool), await makeStack(rules, pool)];
    const { id } = await addDependency(rules.context, { stack: down, dependsOn: up });
    return { up, down, id };
  }

  it('waits for older runs of that one, whatever becomes of them', async () => {
    await makeWorker(rules, pool);
    await makeWorker(rules, pool);
    const { up, down } = await chain();
    const first = await makeRun(rules, up);
    rules.now += 10;
    const second = await makeRun(rules, down);
    const match = await assigned(rules, pool);
    expect(match.run.id).toBe(first.id);
    expect(await assignNext(rules.context, pool)).toBeUndefined();
    expect(await reasonOf(second.id)).toContain(`waits for stack ${up}, whose run ${first.id} is READY`);
    expect(await queuePosition(rules.context, await find(rules, second.id))).toBeNull();
    await begun(rules, match);
    await report(rules, match, 1, { outcome: 'failed', code: 'X', message: 'x' });
    expect((await assigned(rules, pool)).run.id).toBe(second.id);
  });

  it('runs after that one has changed something, once', async () => {
    await makeWorker(rules, pool);
    const { up, down } = await chain();
    const { id } = await makeRun(rules, up, { forceApply: 'CASCADE' });
    const plan = await assigned(rules, pool);
    await begun(rules, plan);
    await report(rules, plan, 1, { k: 'state', s: 'PLANNING' }, { changes, workspace });
    expect((await find(rules, id)).state).toBe('CONFIRMED');
    await makeWorker(rules, pool);
    const apply = await assigned(rules, pool);
    await begun(rules, apply);
    await report(rules, apply, 1, {});
    const followers = await listRuns(rules.context, { stack: down });
    expect(followers).toMatchObject([
      { type: 'TRACKED', state: 'QUEUED', hold: null, force_apply: 'CASCADE', origin: id },
    ]);
    // The answer to the result was lost and it comes again: nothing follows twice.
    await report(rules, apply, 1, {});
    expect(await listRuns(rules.context, { stack: down })).toHaveLength(1);
  });

  it('is not applied by itself in another space than the one of whoever asked', async () => {
    await makeWorker(rules, pool);
    const { up, down } = await chain();
    const space = await createSpace(rules.context, { name: ulid(), description: '', parent: 'root' });
    await rules.context.db.updateTable('stacks').set({ space: space.id }).where('id', '=', down).execute();
    await makeRun(rules, up, { forceApply: 'CASCADE' });
    const plan = await assigned(rules, pool);
    await begun(rules, plan);
    await report(rules, plan, 1, { k: 'state', s: 'PLANNING' }, { changes, workspace });
    await makeWorker(rules, pool);
    const apply = await assigned(rules, pool);
    await begun(rules, apply);
    await report(rules, apply, 1, {});
    expect(await listRuns(rules.context, { stack: down })).toMatchObject([{ force_apply: null }]);
  });

  it('is let go when the dependency is removed, and never stands in a ring', async () => {
    const { up, down, id } = await chain();
    await makeRun(rules, up);
    rules.now += 10;
    const waiting = await makeRun(rules, down);
    await expect(addDependency(rules.context, { stack: up, dependsOn: down })).rejects.toThrow(/→/);
    expect((await find(rules, waiting.id)).hold).toBe('DEPENDENCY');
    await removeDependency(rules.context, id);
    expect((await find(rules, waiting.id)).hold).toBeNull();
  });
});

describe('drift detection', () => {
  it('stays within the limit of the pool and behind all other runs', async () => {
    for (let count = 0; count < 3; count += 1) await makeWorker(rules, pool);
    await updatePool(rules.context, pool, { name: pool, driftDetectionRunLimit: 1 });
    const drifts = [];
    for (let count = 0; count < 2; count += 1)
      drifts.push(await makeRun(rules, await makeStack(rules, pool), { type: 'PROPOSED', drift: true }));
    const usual = await makeRun(rules, await makeStack(rules, pool));
    expect((await assigned(rules, pool)).run.id).toBe(usual.id);
    expect((await assigned(rules, pool)).run.id).toBe(drifts[0]?.id);
    expect(await assignNext(rules.context, pool)).toBeUndefined();
    expect(await reasonOf(drifts[1]!.id)).toContain('limit of 1 for drift detection');
    await updatePool(rules.context, pool, { name: pool });
    expect((await assigned(rules, pool)).run.id).toBe(drifts[1]?.id);
  });
});

describe('a stack that is looked at for drift', () => {
  it('gets a run whenever its time comes, one at a time, and one that puts things right where it wants that', async () => {
    await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool, { driftDetection: { every: 60, reconcile: true } });
    const runs = () => listRuns(rules.context, { stack });
    await sweep(rules.context);
    expect(await runs()).toEqual([]);
    for (let hour = 0; hour < 2; hour += 1) {
      rules.now += 60 * 60_000;
      await sweep(rules.context);
      await makeWorker(rules, pool);
    }
    const looks = await runs();
    expect(looks).toMatchObject([
      { type: 'PROPOSED', drift: true, priority: -1, requested_by: 'drift detection' },
    ]);
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await report(rules, match, 1, { changes });
    expect((await runs())[0]).toMatchObject({
      type: 'TRACKED',
      title: 'Reconcile drift',
      origin: looks[0]?.id,
    });
    await updateStack(rules.context, stack, { driftDetection: null });
    rules.now += 24 * 60 * 60_000;
    await sweep(rules.context);
    expect(await runs()).toHaveLength(2);
  });
});

describe('what may be scheduled', () => {
  it('is listed with runs under way first, in pages that stay in step while the queue moves', async () => {
    await makeWorker(rules, pool);
    const runs = [];
    for (let count = 0; count < 5; count += 1) {
      rules.now += 10;
      runs.push((await makeRun(rules, await makeStack(rules, pool), { type: 'PROPOSED' })).id);
    }
    await assigned(rules, pool);
    const first = await searchSchedulableRuns(rules.context, pool, { first: 2 });
    expect(first.edges.map(({ node }) => [node.run.id, node.position])).toEqual([
      [runs[0], 0],
      [runs[1], 1],
    ]);
    expect(first.pageInfo.hasNextPage).toBe(true);
    const rest = await searchSchedulableRuns(rules.context, pool, { after: first.pageInfo.endCursor });
    expect(rest.edges.map(({ node }) => node.run.id)).toEqual(runs.slice(2));
    const waiting = await searchSchedulableRuns(rules.context, pool, {
      predicates: [{ field: 'state', constraint: { enumEquals: ['QUEUED'] } }],
      orderBy: { field: 'position', direction: 'DESC' },
    });
    expect(waiting.edges.map(({ node }) => node.position)).toEqual([4, 3, 2, 1]);
  });
});

describe('a stack without a pool', () => {
  it('runs in the public one, and moves on with its queue when it gets its own', async () => {
    const stack = await makeStack(rules, pool, { poolId: null });
    const run = await makeRun(rules, stack);
    expect((await find(rules, run.id)).pool_id).toBe(publicPoolId);
    expect(await reasonOf(run.id)).toContain(
      'the public worker pool, where runs of stacks without a pool go, has no workers yet',
    );
    await updateStack(rules.context, stack, { poolId: pool });
    await makeWorker(rules, pool);
    expect((await next())?.id).toBe(run.id);
  });
});

describe('what waits says', () => {
  it('how busy the workers are and since when, and since when there are none', async () => {
    const worker = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    rules.now += 12 * 60_000;
    await worker.heartbeat({ run: match.run.id, attempt: 1, begun: true });
    const run = await makeRun(rules, await makeStack(rules, pool));
    expect(await reasonOf(run.id)).toMatch(
      /^no idle worker: 1 of 1 busy, the oldest for 12 min; ends as CANCELED at 2026-/,
    );
    await worker.gone(true);
    expect(await reasonOf(run.id)).toMatch(/^the worker pool has had no workers since 2026-01-/);
    await expect(confirmRun(rules.context, by(run.id))).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
