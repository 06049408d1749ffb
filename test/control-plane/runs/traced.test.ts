// What the traces tell of runs: every stay in a state with its real times, once, and only when it is committed.
import { beforeEach, describe, expect, it } from 'vitest';
import { startReconciler, sweep } from '../../../control-plane/queue/reconciler.js';
import { startScheduler } from '../../../control-plane/queue/scheduler.js';
import { acceptRun, beginRun, rejectRun } from '../../../control-plane/runs/attempts.js';
import { changeRun } from '../../../control-plane/runs/change.js';
import { cancelRun, confirmRun } from '../../../control-plane/runs/decisions.js';
import { deadlineOf } from '../../../control-plane/runs/transitions.js';
import type { Stay } from '../../../control-plane/traces/traces.js';
import { until } from '../../launcher/support/until.js';
import { keptTraces, type KeptTraces } from '../support/kept-traces.js';
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
} from '../support/rules.js';

let rules: Rules;
let pool: string;
let kept: KeptTraces;
eachWithRules((given) => {
  ({ rules, pool } = given);
});
beforeEach(() => {
  kept = keptTraces();
  rules.now = start;
  rules.traces = kept;
});

const workspace = '01HZ0000000000000000000WWW';
const changes = { add: 1, change: 0, destroy: 0, any: true };
const start = Date.UTC(2026, 0, 1);

/** `STATE attempt seconds→seconds next worker`, of the test's clock. */
const words = ({ state, attempt, from, until: to, attributes, failure }: Stay) =>
  [
    state,
    attempt,
    `${String((from - start) / 1000)}→${String((to - start) / 1000)}`,
    attributes['poolwright.run.next_state'],
    attributes['poolwright.worker.id'] === undefined ? 'nobody' : 'worker',
    ...(failure === null ? [] : [failure]),
  ].join(' ');

describe('a run', () => {
  it('is told stay by stay with real times, and as a whole at its end, by passes that are linked with it', async () => {
    const worker = await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    const run = await makeRun(rules, stack);
    rules.now += 5000;
    const scheduler = startScheduler(rules.context);
    scheduler.wake(pool);
    const passes = (count: number) =>
      until(() => kept.spans.filter(({ worth }) => worth).length === count, 'a pass that assigned');
    await passes(1);
    const plan = { run: { ...run, attempt: 1 }, worker: { id: worker.id } } as Parameters<typeof report>[1];
    const later = async (work: () => Promise<unknown>) => {
      rules.now += 1000;
      await work();
    };
    await later(() => acceptRun(rules.context, run.id, 1, worker.id));
    await later(() => beginRun(rules.context, run.id, 1, worker.id));
    await later(() => report(rules, plan, 1, { k: 'state', s: 'PLANNING' }));
    await later(() => report(rules, plan, 2, { changes, workspace }));
    await later(() => confirmRun(rules.context, { run: run.id, username: 'test' }));
    await later(() => worker.heartbeat(null));
    await passes(2);
    const apply = { run: { ...run, attempt: 2 }, worker: { id: worker.id } } as typeof plan;
    await later(() => acceptRun(rules.context, run.id, 2, worker.id));
    await later(() => beginRun(rules.context, run.id, 2, worker.id));
    await later(() => report(rules, apply, 1, {}));
    await scheduler.close();

    expect(kept.stays.map(words)).toEqual([
      'QUEUED 0 0→5 READY nobody',
      'READY 1 5→6 PREPARING worker',
      'PREPARING 1 6→7 INITIALIZING worker',
      'INITIALIZING 1 7→8 PLANNING worker',
      'PLANNING 1 8→9 UNCONFIRMED worker',
      'UNCONFIRMED 1 9→10 CONFIRMED nobody',
      'CONFIRMED 1 10→13 APPLYING nobody',
      'APPLYING 2 13→14 FINISHED worker',
    ]);
    const common = {
      'poolwright.run.id': run.id,
      'poolwright.run.type': 'TRACKED',
      'poolwright.run.drift': false,
      'poolwright.stack.id': stack,
      'poolwright.space.id': 'root',
      'poolwright.pool.id': pool,
    };
    expect(kept.stays[1]?.attributes).toEqual({
      ...common,
      'poolwright.run.state': 'READY',
      'poolwright.run.next_state': 'PREPARING',
      'poolwright.run.attempt': 1,
      'poolwright.worker.id': worker.id,
    });
    expect(kept.runs).toEqual([
      {
        ...{ run: run.id, from: start, until: start + 14_000, failure: null },
        attributes: { ...common, 'poolwright.run.state': 'FINISHED', 'poolwright.run.attempt': 2 },
      },
    ]);
    const told = kept.spans.filter(({ worth }) => worth);
    expect(
      told.map(({ name, root, attributes, runs }) => ({ name, root, attributes, runs: [...new Set(runs)] })),
    ).toEqual(
      Array(2).fill({
        name: 'assign',
        root: true,
        attributes: { 'poolwright.pool.id': pool, 'poolwright.runs.assigned': 1 },
        runs: [run.id],
      }),
    );
  });

  it('that fails says with which code, and nothing that somebody wrote or a log holds', async () => {
    await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool, { description: 'hunter2' });
    const title = 'hunter2 title';
    const runtimeConfig = { environment: [{ name: 'TOKEN', value: 'hunter2' }] };
    await makeRun(rules, stack, { title, runtimeConfig, requestedBy: 'hunter2' });
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await report(
      rules,
      match,
      1,
      { k: 'state', s: 'PLANNING' },
      { outcome: 'failed', code: 'COMMAND_FAILED', message: 'hunter2' },
    );
    expect(kept.stays.map(words).at(-1)).toBe('PLANNING 1 0→0 FAILED worker COMMAND_FAILED');
    expect(kept.runs.map(({ failure }) => failure)).toEqual(['COMMAND_FAILED']);
    expect(JSON.stringify([kept.stays, kept.runs, kept.spans])).not.toContain('hunter2');
  });

  it('that a worker gives back is told with each attempt of its own', async () => {
    const worker = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const { run } = await assigned(rules, pool);
    rules.now += 2000;
    await rejectRun(rules.context, run.id, 1, worker.id, { code: 'IMAGE_UNAVAILABLE', message: 'no' });
    rules.now += 1000;
    await assigned(rules, pool);
    await cancelRun(rules.context, { run: run.id, username: 'test' });
    expect(kept.stays.map(words)).toEqual(['READY 1 0→2 QUEUED worker', 'READY 2 3→3 CANCELED worker']);
  });
});

describe('a change', () => {
  const cancelled = async (work: (times: number) => void) => {
    const run = await makeRun(rules, await makeStack(rules, pool));
    let times = 0;
    await rules.context.db
      .transaction()
      .execute(async (tx) => {
        const changed = await changeRun(tx, rules.context, run, { state: 'CANCELED' });
        expect(kept.stays).toEqual([]);
        times += 1;
        work(times);
        return changed;
      })
      .catch(() => undefined);
    return (await find(rules, run.id)).state;
  };

  it('that is rolled back is never told', async () => {
    const state = await cancelled(() => {
      throw new Error('something after it failed');
    });
    expect([state, kept.stays, kept.runs]).toEqual(['QUEUED', [], []]);
  });

  it('that is done again for the sake of another transaction is told once', async () => {
    const state = await cancelled((times) => {
      if (times < 3) throw Object.assign(new Error('deadlock'), { code: '40P01' });
    });
    expect([state, kept.stays.length, kept.runs.length]).toEqual(['CANCELED', 1, 1]);
  });

  it('is linked with what it was done for, and so is a run that is made', async () => {
    const run = await kept.span({ name: 'trigger' }, async () =>
      makeRun(rules, await makeStack(rules, pool)),
    );
    await kept.span({ name: 'cancel' }, () => cancelRun(rules.context, { run: run.id, username: 'test' }));
    expect(kept.spans.map(({ name, runs }) => [name, runs])).toEqual([
      ['trigger', [run.id]],
      ['cancel', [run.id]],
    ]);
  });
});

describe('the reconciler', () => {
  it('tells of the looks that did something: what they ended, how many workers fell silent and were lost', async () => {
    await makeWorker(rules, pool);
    const run = await makeRun(rules, await makeStack(rules, pool));
    const look = () => kept.span({ name: 'look', quiet: true }, () => sweep(rules.context));
    await look();
    rules.now += 60_000;
    await look();
    rules.now += 60_000;
    await look();
    rules.now = (deadlineOf('QUEUED', rules.now) ?? 0) + 1;
    await look();
    expect(kept.spans.map(({ worth, attributes, runs }) => [worth, attributes, runs])).toEqual([
      [false, {}, []],
      [true, { 'poolwright.workers.silent': 1 }, []],
      [true, { 'poolwright.workers.lost': 1 }, []],
      [true, {}, [run.id]],
    ]);
  });

  it('looks in traces of its own', async () => {
    const reconciler = startReconciler(rules.context);
    await until(() => kept.spans.length > 0, 'a look');
    await reconciler.close();
    expect(kept.spans[0]).toMatchObject({ name: 'reconcile', quiet: true, root: true });
  });
});
