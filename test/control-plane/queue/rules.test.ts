// What the rules promise one by one: fences, deadlines, loss, the queue's order.
import { describe, expect, it } from 'vitest';
import { cyclePool, resetPool } from '../../../control-plane/pools/pools.js';
import { setDrained } from '../../../control-plane/pools/workers.js';
import { assignNext } from '../../../control-plane/queue/assign.js';
import { sendAssignment } from '../../../control-plane/queue/assignment.js';
import { listAlarms } from '../../../control-plane/pools/alarms.js';
import { massLossPatience } from '../../../control-plane/queue/mass-loss.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { allowReturn } from '../../../control-plane/queue/return-time.js';
import { queuePosition, waitReason } from '../../../control-plane/queue/waiting.js';
import { acceptRun, assertReporting, beginRun, rejectRun } from '../../../control-plane/runs/attempts.js';
import { cancelRun, confirmRun, discardRun, stopRun } from '../../../control-plane/runs/decisions.js';
import { runHistory } from '../../../control-plane/runs/runs.js';
import { transitions } from '../../../control-plane/runs/transitions.js';
import { deleteStack } from '../../../control-plane/stacks/stacks.js';
import { setVariable } from '../../../control-plane/stacks/variables.js';
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
eachWithRules((given) => {
  ({ rules, pool } = given);
});

const changes = { add: 1, change: 0, destroy: 0, any: true };
const by = (run: string) => ({ run, username: 'test' });
const workspace = '01HZ0000000000000000000WWW';

describe('an attempt that no longer counts', () => {
  it('is refused at every call, and changes nothing', async () => {
    const first = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const old = await assigned(rules, pool);
    await first.gone(false);
    rules.now += 9000;
    await sweep(rules.context);
    await makeWorker(rules, pool);
    const current = await assigned(rules, pool);
    expect(current.run).toMatchObject({ id: old.run.id, attempt: 2 });
    await begun(rules, current);
    const before = await find(rules, old.run.id);
    const { id } = old.run;
    const late = [
      () => acceptRun(rules.context, id, 1, first.id),
      () => beginRun(rules.context, id, 1, first.id),
      () => rejectRun(rules.context, id, 1, first.id, { code: 'X', message: 'x' }),
      () => assertReporting(rules.context, { run: id, attempt: 1, worker: first.id }, 1),
      () => report(rules, old, 1, { k: 'state', s: 'PLANNING' }),
      // The right number from the wrong worker is no better.
      () => beginRun(rules.context, id, 2, first.id),
    ];
    for (const call of late) await expect(call()).rejects.toMatchObject({ code: 'STALE_ATTEMPT' });
    expect(await find(rules, id)).toEqual(before);
  });
});

describe('a worker that is lost', () => {
  it('gives a run that has not begun back, and after three in a row it fails with the reason', async () => {
    const { id } = await makeRun(rules, await makeStack(rules, pool));
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const worker = await makeWorker(rules, pool);
      expect((await assigned(rules, pool)).run.attempt).toBe(attempt);
      await worker.gone(false);
      rules.now += 9000;
      await sweep(rules.context);
    }
    const run = await find(rules, id);
    expect(run).toMatchObject({ state: 'FAILED', worker_id: null, failure_code: 'UNAVAILABLE' });
    expect(run.failure_message).toContain('3 workers in a row');
  });

  it('fails a run that has begun, and says what is known', async () => {
    const worker = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await worker.gone(false);
    rules.now += 7000;
    await sweep(rules.context);
    expect((await find(rules, match.run.id)).state).toBe('INITIALIZING');
    rules.now += 2000;
    await sweep(rules.context);
    const run = await find(rules, match.run.id);
    expect(run).toMatchObject({ state: 'FAILED', failure_code: 'WORKER_LOST' });
    for (const part of [worker.id, 'i-1', 'INITIALIZING', 'Last contact', 'the last line']) {
      expect(run.failure_message).toContain(part);
    }
  });

  it('is noticed when it only falls silent', async () => {
    await makeWorker(rules, pool);
    rules.now += 31_000;
    await sweep(rules.context);
    rules.now += 9000;
    await sweep(rules.context);
    expect(await rules.context.db.selectFrom('workers').selectAll().execute()).toEqual([]);
  });

  it('is not believed when most of the pool goes at once: an alarm instead, until they are back or time is over', async () => {
    const workers: SimulatedWorker[] = [];
    for (let count = 0; count < 4; count += 1) workers.push(await makeWorker(rules, pool));
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    const gone = [match.worker, ...workers.filter(({ id }) => id !== match.worker.id)]
      .slice(0, 3)
      .map(({ id }) => workers.find((worker) => worker.id === id)!);
    for (const worker of gone) await worker.gone(false);
    rules.now += 9000;
    await sweep(rules.context);
    expect((await find(rules, match.run.id)).state).toBe('INITIALIZING');
    expect(await listAlarms(rules.context)).toMatchObject([
      { kind: 'MASS_LOSS', pool_id: pool, cleared_at: null },
    ]);
    // One of them comes back: the others are not given up for that.
    const holder = gone.find(({ id }) => id === match.worker.id)!;
    await holder.register({ run: match.run.id, attempt: 1, begun: true });
    await sweep(rules.context);
    expect(await rules.context.db.selectFrom('workers').select('id').execute()).toHaveLength(4);
    rules.now += massLossPatience;
    for (const worker of workers) if (!gone.includes(worker)) await worker.heartbeat(null);
    await holder.heartbeat({ run: match.run.id, attempt: 1, begun: true });
    await sweep(rules.context);
    expect((await find(rules, match.run.id)).state).toBe('INITIALIZING');
    expect((await listAlarms(rules.context))[0]?.cleared_at).toBe(rules.now);
    expect((await rules.context.db.selectFrom('workers').select('id').execute()).length).toBeLessThan(4);
  });

  it('is believed when most of the pool went one by one, though their time is over at once: the control plane was restarted', async () => {
    for (let count = 0; count < 3; count += 1) {
      await makeWorker(rules, pool);
      rules.now += 40_000;
    }
    const there = await makeWorker(rules, pool);
    await allowReturn(rules.context);
    await there.register(null);
    rules.now += 31_000;
    await there.heartbeat(null);
    await sweep(rules.context);
    expect(await rules.context.db.selectFrom('workers').select('id').execute()).toEqual([{ id: there.id }]);
    expect(await listAlarms(rules.context)).toEqual([]);
  });

  it('is not believed when most of the pool went at once and the control plane was restarted since', async () => {
    for (let count = 0; count < 3; count += 1) {
      await makeWorker(rules, pool);
      rules.now += 10_000;
    }
    await allowReturn(rules.context);
    rules.now += 31_000;
    await sweep(rules.context);
    expect(await rules.context.db.selectFrom('workers').select('id').execute()).toHaveLength(3);
    expect(await listAlarms(rules.context)).toMatchObject([{ kind: 'MASS_LOSS' }]);
  });

  it('is believed when it was told to leave, however many they are: no alarm for a reset', async () => {
    const workers: SimulatedWorker[] = [];
    for (let count = 0; count < 4; count += 1) workers.push(await makeWorker(rules, pool));
    await resetPool(rules.context, pool, 'a new request');
    for (const worker of workers) await worker.gone(false);
    rules.now += 9000;
    await sweep(rules.context);
    expect(await rules.context.db.selectFrom('workers').select('id').execute()).toEqual([]);
    expect(await listAlarms(rules.context)).toEqual([]);
  });

  it('is removed though its run was deleted with the stack, and holds up nothing else', async () => {
    const worker = await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    await makeRun(rules, stack, { type: 'PROPOSED' });
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await report(rules, match, 1, { k: 'state', s: 'PLANNING' }, { changes });
    // It has not said yet that its hands are empty.
    await deleteStack(rules.context, stack);
    await worker.gone(false);
    const waiting = await makeRun(rules, await makeStack(rules, pool));
    rules.now += 8 * 24 * 3_600_000;
    await sweep(rules.context);
    expect(await rules.context.db.selectFrom('workers').select('id').execute()).toEqual([]);
    expect((await find(rules, waiting.id)).state).toBe('CANCELED');
  });

  it('that cannot be removed does not keep the others, nor a wait that is over', async () => {
    const stuck = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    await begun(rules, await assigned(rules, pool));
    const other = await makeWorker(rules, pool);
    for (const worker of [stuck, other]) await worker.gone(false);
    const waiting = await makeRun(rules, await makeStack(rules, pool));
    rules.now += 8 * 24 * 3_600_000;
    const logs = { lastLine: () => Promise.reject(new Error('the disk is broken')) };
    await sweep({ ...rules.context, logs });
    const left = await rules.context.db.selectFrom('workers').select('id').execute();
    expect(left).toEqual([{ id: stuck.id }]);
    expect((await find(rules, waiting.id)).state).toBe('CANCELED');
  });

  it('keeps its run when it comes back in time', async () => {
    const worker = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await worker.gone(false);
    rules.now += 7900;
    await worker.register({ run: match.run.id, attempt: 1, begun: true });
    rules.now += 20_000;
    await sweep(rules.context);
    expect((await find(rules, match.run.id)).state).toBe('INITIALIZING');
  });

  it('has longer to come back after the control plane was started again', async () => {
    const worker = await makeWorker(rules, pool);
    await allowReturn(rules.context);
    rules.now += 29_000;
    await sweep(rules.context);
    await worker.register();
    expect(await rules.context.db.selectFrom('workers').selectAll().execute()).toHaveLength(1);
  });
});

describe('a worker that is connected but does not have its run', () => {
  it('is taken at its word once no report can have crossed: the run fails when it had begun', async () => {
    const worker = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await worker.heartbeat(null);
    expect((await find(rules, match.run.id)).state).toBe('INITIALIZING');
    rules.now += 6000;
    await worker.heartbeat(null);
    expect(await find(rules, match.run.id)).toMatchObject({ state: 'FAILED', failure_code: 'WORKER_LOST' });
    await makeRun(rules, await makeStack(rules, pool));
    expect(await assignNext(rules.context, pool)).toBeDefined();
  });

  it('gets the assignment again when it registers before it has accepted', async () => {
    const worker = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    rules.sent.length = 0;
    await worker.register(null);
    expect(rules.sent.map(({ body }) => body.type)).toEqual(['registered', 'assignment']);
    await begun(rules, match);
  });

  it('is told to drop a run that is not its own any more', async () => {
    const worker = await makeWorker(rules, pool);
    const run = await makeRun(rules, await makeStack(rules, pool));
    rules.sent.length = 0;
    await worker.heartbeat({ run: run.id, attempt: 7, begun: true });
    expect(rules.sent[0]?.body).toMatchObject({ type: 'stop', kind: 'stale', run: run.id, attempt: 7 });
  });
});

describe('a worker that was told to leave while it could not hear', () => {
  const leaves = () => rules.sent.filter(({ body }) => body.type === 'leave').map(({ body }) => body);

  it('is told again when it is back, and with every report until it says that it leaves', async () => {
    const worker = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    const held = { run: match.run.id, attempt: 1, begun: true };
    await worker.gone(false);
    await cyclePool(rules.context, pool);
    rules.sent.length = 0;
    await worker.register(held);
    expect(rules.sent.map(({ body }) => body.type)).toEqual(['registered', 'leave']);
    await worker.heartbeat(held);
    // Its run is its own until it is over.
    expect(leaves()).toMatchObject([{ immediate: false }, { immediate: false }]);
    expect((await find(rules, match.run.id)).state).toBe('INITIALIZING');
    rules.sent.length = 0;
    await worker.heartbeat(held, true);
    await worker.heartbeat(held, true);
    expect(leaves()).toEqual([]);
  });

  it('is told so though another process took its place', async () => {
    const worker = await makeWorker(rules, pool);
    await cyclePool(rules.context, pool);
    rules.sent.length = 0;
    await worker.gone(false);
    await worker.register();
    expect(leaves()).toHaveLength(1);
    await worker.gone(true);
    await worker.register();
    // Its row went with its last word: whoever comes now is a new worker.
    expect(leaves()).toHaveLength(1);
  });
});

describe('a worker that was drained and then lost', () => {
  it('is still drained when it comes back: whoever heard "not busy" counts on it', async () => {
    const worker = await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    expect((await setDrained(rules.context, pool, worker.id, true)).run_id).toBeNull();
    await worker.gone(true);
    await worker.register(null, true);
    await makeRun(rules, stack);
    expect(await assignNext(rules.context, pool)).toBeUndefined();
    await setDrained(rules.context, pool, worker.id, false);
    expect(await assignNext(rules.context, pool)).toBeDefined();
    // What the row says counts, not what a launcher remembers that missed the order.
    await worker.register(null, true);
    expect(rules.sent.findLast(({ body }) => body.type === 'registered')?.body).toMatchObject({
      drained: false,
    });
  });
});

describe('a state that lasts too long', () => {
  it('ends as the table says, for every state that waits', () => {
    for (const [state, rule] of Object.entries(transitions)) {
      expect((rule.lasts === null) === (rule.then === null), state).toBe(true);
      if (rule.then !== null && rule.then !== 'requeue') expect(rule.next, state).toContain(rule.then);
    }
  });

  it('sends an assignment that is not accepted to another worker', async () => {
    await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    rules.now += 16_000;
    await sweep(rules.context);
    expect(await find(rules, match.run.id)).toMatchObject({ state: 'QUEUED', worker_id: null });
    await expect(acceptRun(rules.context, match.run.id, 1, match.worker.id)).rejects.toMatchObject({
      code: 'STALE_ATTEMPT',
    });
  });

  it('discards a plan that nobody confirms, and cancels a run that nobody takes', async () => {
    const waiting = await makeRun(rules, await makeStack(rules, pool));
    rules.now += 8 * 24 * 3_600_000;
    await sweep(rules.context);
    expect((await find(rules, waiting.id)).state).toBe('CANCELED');
  });

  it('ends a run that was told to stop and does not', async () => {
    const worker = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await stopRun(rules.context, by(match.run.id));
    for (let beat = 0; beat < 7; beat += 1) {
      rules.now += 9000;
      await worker.heartbeat({ run: match.run.id, attempt: 1, begun: true });
      await sweep(rules.context);
    }
    expect((await find(rules, match.run.id)).state).toBe('STOPPED');
  });
});

describe('the queue', () => {
  it('goes by priority, then by age, and says each place', async () => {
    const runs = [];
    for (let count = 0; count < 3; count += 1) {
      rules.now += 1000;
      runs.push(await makeRun(rules, await makeStack(rules, pool)));
    }
    const last = runs[2]!;
    await rules.context.db.updateTable('runs').set({ priority: 1 }).where('id', '=', last.id).execute();
    const places = [];
    for (const { id } of runs) places.push(await queuePosition(rules.context, await find(rules, id)));
    expect(places).toEqual([2, 3, 1]);
    await makeWorker(rules, pool);
    expect((await assigned(rules, pool)).run.id).toBe(last.id);
  });

  it('lets write runs of one stack out one at a time, and read runs freely', async () => {
    const stack = await makeStack(rules, pool);
    for (let count = 0; count < 4; count += 1) await makeWorker(rules, pool);
    const first = await makeRun(rules, stack);
    const second = await makeRun(rules, stack);
    const proposed = await makeRun(rules, stack, { type: 'PROPOSED' });
    expect((await assigned(rules, pool)).run.id).toBe(first.id);
    expect((await assigned(rules, pool)).run.id).toBe(proposed.id);
    expect(await assignNext(rules.context, pool)).toBeUndefined();
    expect(await waitReason(rules.context, await find(rules, second.id))).toContain(first.id);
  });

  it('says why a run waits', async () => {
    const run = await makeRun(rules, await makeStack(rules, pool));
    const reason = async () => waitReason(rules.context, await find(rules, run.id));
    expect(await reason()).toMatch(/^the worker pool has no workers yet; ends as CANCELED at /);
    const worker = await makeWorker(rules, pool);
    await setDrained(rules.context, pool, worker.id, true);
    expect(await reason()).toMatch(/^no idle worker: 1 of 1 drained; ends as /);
  });

  it('gives nothing to a worker that was told to leave', async () => {
    await makeWorker(rules, pool);
    await cyclePool(rules.context, pool);
    await makeRun(rules, await makeStack(rules, pool));
    expect(await assignNext(rules.context, pool)).toBeUndefined();
  });
});

describe('a run of plan and apply', () => {
  async function planned(autodeploy = false) {
    await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool, { autodeploy }));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await report(rules, match, 1, { k: 'state', s: 'PLANNING' }, { changes, workspace });
    return match;
  }

  it('waits for a confirmation, then for any worker, which gets the workspace', async () => {
    const { run } = await planned();
    expect(await find(rules, run.id)).toMatchObject({
      state: 'UNCONFIRMED',
      stage: 'APPLY',
      worker_id: null,
    });
    await confirmRun(rules.context, by(run.id));
    await makeWorker(rules, pool);
    const apply = await assigned(rules, pool);
    await sendAssignment(rules.context, apply);
    expect(rules.sent.at(-1)?.body).toMatchObject({
      type: 'assignment',
      stage: 'APPLY',
      workspace,
      source: { kind: 'none' },
    });
    await begun(rules, apply);
    await report(rules, apply, 1, {});
    expect((await find(rules, run.id)).state).toBe('FINISHED');
  });

  it('is confirmed by the stack where that deploys by itself, and says so', async () => {
    const { run } = await planned(true);
    const history = await runHistory(rules.context, run.id);
    expect(history.slice(-2).map(({ state }) => state)).toEqual(['UNCONFIRMED', 'CONFIRMED']);
    expect(history.at(-1)?.note).toBe('the stack deploys by itself');
  });

  it('takes a result that comes again for what it is', async () => {
    const match = await planned();
    const before = await find(rules, match.run.id);
    await report(rules, match, 1, { k: 'state', s: 'PLANNING' }, { changes, workspace });
    expect(await find(rules, match.run.id)).toEqual(before);
  });

  it('can be discarded until its apply begins, and not canceled', async () => {
    const { run } = await planned();
    await expect(cancelRun(rules.context, by(run.id))).rejects.toMatchObject({ code: 'CONFLICT' });
    await confirmRun(rules.context, by(run.id));
    await makeWorker(rules, pool);
    const apply = await assigned(rules, pool);
    await discardRun(rules.context, by(run.id));
    await expect(beginRun(rules.context, run.id, apply.run.attempt, apply.worker.id)).rejects.toMatchObject({
      code: 'STALE_ATTEMPT',
    });
  });
});

describe('a value that was sealed for a key that the pool no longer has', () => {
  it('fails the run with its name instead of going round', async () => {
    const stack = await makeStack(rules, pool);
    await setVariable(rules.context, { stack, name: 'TOKEN', value: 'secret', writeOnly: true });
    await rules.context.db
      .updateTable('worker_pools')
      .set({ public_key: 'another' })
      .where('id', '=', pool)
      .execute();
    await makeWorker(rules, pool);
    await makeRun(rules, stack);
    const match = await assigned(rules, pool);
    await sendAssignment(rules.context, match);
    const run = await find(rules, match.run.id);
    expect(run).toMatchObject({ state: 'FAILED', failure_code: 'CONFLICT' });
    expect(run.failure_message).toContain('TOKEN');
    expect(run.failure_message).not.toContain('secret');
  });
});

describe('a run that no worker could be told of', () => {
  it('is refused where it is asked for, without the value', async () => {
    const stack = await makeStack(rules, pool);
    const environment = [{ name: 'not a name', value: 'secret' }];
    for (const [fields, named] of [
      [{ commitSha: 'main' }, 'commitSha'],
      [{ runtimeConfig: { environment } }, 'environment.0.name'],
      [{ type: 'TASK', task: 'x'.repeat(20_000) }, 'task'],
    ] as const) {
      const asked = makeRun(rules, stack, fields);
      await expect(asked).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
      await expect(asked).rejects.toThrow(named);
      await expect(asked).rejects.not.toThrow('secret');
    }
    await makeRun(rules, stack, { commitSha: 'a'.repeat(40) });
  });

  it('fails at once when all of it together is too large, and its worker is free', async () => {
    const stack = await makeStack(rules, pool);
    for (let count = 0; count < 17; count += 1) {
      const name = `LARGE_${String(count)}`;
      await setVariable(rules.context, { stack, name, value: 'x'.repeat(64 * 1024), writeOnly: false });
    }
    await makeWorker(rules, pool);
    await makeRun(rules, stack);
    const match = await assigned(rules, pool);
    rules.sent.length = 0;
    await sendAssignment(rules.context, match);
    expect(rules.sent).toEqual([]);
    const run = await find(rules, match.run.id);
    expect(run).toMatchObject({ state: 'FAILED', worker_id: null, failure_code: 'INVALID_MESSAGE' });
    await makeRun(rules, await makeStack(rules, pool));
    expect(await assignNext(rules.context, pool)).toBeDefined();
  });
});

describe('a pool that is reset', () => {
  it('tells its workers to end at once', async () => {
    const worker = await makeWorker(rules, pool);
    rules.sent.length = 0;
    await resetPool(rules.context, pool, 'a new request');
    expect(rules.sent).toEqual([
      expect.objectContaining({
        to: expect.objectContaining({ worker: worker.id }) as object,
        body: expect.objectContaining({ type: 'leave', immediate: true }) as object,
      }),
    ]);
  });
});
