// Workers that share a line: what is heard of it counts for them all, and what each of them holds stays its own.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createInbox } from '../../../control-plane/broker/inbox.js';
import { listWorkers, setDrained } from '../../../control-plane/pools/workers.js';
import { assignNext } from '../../../control-plane/queue/assign.js';
import { poolReason } from '../../../control-plane/queue/pool-reason.js';
import { massLossPatience } from '../../../control-plane/queue/mass-loss.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { allowReturn } from '../../../control-plane/queue/return-time.js';
import type { WorkerRow } from '../../../control-plane/store/schema.js';
import { rhythm } from '../../../protocol/limits.js';
import type { HeldRun, UpMessage } from '../../../protocol/messages.js';
import { upTopic } from '../../../protocol/topics.js';
import { encodeUp } from '../../../protocol/wire.js';
import type { UpwardMessage } from '../../../protocol/lines.js';
import { ulid } from 'ulid';
import {
  assigned,
  begun,
  find,
  makePool,
  makeRun,
  makeStack,
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

let sessions = 0;

/** A line as a controller has it: everything goes through the inbox, as from the broker. */
function openLine() {
  const id = ulid();
  const session = 'b'.repeat(32);
  const on = new Map<string, string>();
  async function say(message: UpwardMessage): Promise<void> {
    const inbox = createInbox(rules.context);
    inbox.receive({ topic: upTopic(pool, id), payload: encodeUp(message), certificateSerial: '01' });
    await inbox.close();
  }
  const head = () => ({ v: 1 as const, session, at: rules.now });
  const carry = (entries: readonly (readonly [string, (own: string) => UpMessage])[]) =>
    say({
      ...head(),
      type: 'carried',
      messages: entries.map(([worker, make]) => ({ worker, message: make(on.get(worker) ?? session) })),
    });
  return {
    id,
    session,
    async register(workers: readonly string[], held: HeldRun = null) {
      for (const worker of workers) on.set(worker, String((sessions += 1)).padStart(32, '0'));
      await carry(
        workers.map((worker) => [
          worker,
          (own) => ({
            ...{ ...head(), session: own, type: 'register' as const, metadata: {}, version: 'test' },
            ...{ executor: 'pod' as const, held, leaving: false },
          }),
        ]),
      );
    },
    heartbeat: (worker: string, held: HeldRun) =>
      carry([
        [worker, (own) => ({ ...head(), session: own, type: 'heartbeat' as const, held, leaving: false })],
      ]),
    leave: (worker: string) =>
      carry([
        [
          worker,
          (own) => ({ ...head(), session: own, type: 'gone' as const, orderly: true, reason: 'test' }),
        ],
      ]),
    present: (workers: number | null, others: string[] | null = [], unavailable: string | null = null) =>
      say({ ...head(), type: 'present', workers, others, unavailable }),
    broke: () => say({ ...head(), type: 'gone', orderly: false, reason: 'the connection broke' }),
  };
}

const some = (count: number) => Array.from({ length: count }, () => ulid()).sort();
const row = async (worker: string): Promise<WorkerRow | undefined> =>
  (await listWorkers(rules.context, pool)).find(({ id }) => id === worker);
const connected = async () =>
  (await listWorkers(rules.context, pool)).filter((worker) => worker.connected).map(({ id }) => id);
const saidTo = (worker: string) =>
  rules.sent.filter(({ to }) => to.worker === worker).map(({ body }) => body.type);

describe('workers on a line that they share', () => {
  it('register each with a session of its own, and are told on the line', async () => {
    const line = openLine();
    const workers = some(3);
    await line.register(workers);
    const rows = await listWorkers(rules.context, pool);
    expect(rows.map(({ id }) => id)).toEqual(workers);
    expect(new Set(rows.map(({ session }) => session)).size).toBe(3);
    expect(rules.sent.map(({ to, body }) => [to.worker, to.line, body.type]).sort()).toEqual(
      workers.map((worker) => [worker, line.id, 'registered']),
    );
  });

  it('are there as long as the line is heard of, and out of contact together when it is silent', async () => {
    const line = openLine();
    await line.register(some(3));
    for (let time = 0; time < 20; time += 1) {
      rules.now += rhythm.heartbeat;
      await line.present(3);
      await sweep(rules.context);
    }
    expect(await connected()).toHaveLength(3);
    const last = rules.now;
    rules.now += rhythm.silence + 1;
    await sweep(rules.context);
    expect(await connected()).toEqual([]);
    expect((await listWorkers(rules.context, pool)).map((worker) => worker.last_contact_at)).toEqual([
      last,
      last,
      last,
    ]);
  });

  it('are out of contact at once when it breaks, and come back on another one without a loss or an alarm', async () => {
    const [before, after] = [openLine(), openLine()];
    const workers = some(5);
    await before.register(workers);
    await before.broke();
    expect(await connected()).toEqual([]);
    rules.now += rhythm.podLostAfter - 1;
    await sweep(rules.context);
    await after.register(workers);
    rules.now += rhythm.silence - 1;
    await sweep(rules.context);
    expect(await connected()).toEqual(workers);
    expect(await rules.context.db.selectFrom('alarms').selectAll().execute()).toEqual([]);
  });

  it('raise an alarm in the place of being lost when the line does not come back', async () => {
    const line = openLine();
    await line.register(some(5));
    await line.broke();
    rules.now += rhythm.podLostAfter;
    await sweep(rules.context);
    expect(await listWorkers(rules.context, pool)).toHaveLength(5);
    expect(await rules.context.db.selectFrom('alarms').select('kind').execute()).toEqual([
      { kind: 'MASS_LOSS' },
    ]);
    rules.now += massLossPatience;
    await sweep(rules.context);
    expect(await listWorkers(rules.context, pool)).toEqual([]);
  });

  it('raise an alarm, too, when the control plane was started again since they were heard of, whenever each came to the line', async () => {
    const line = openLine();
    for (const worker of some(4)) {
      await line.register([worker]);
      for (let time = 0; time < 6; time += 1) {
        rules.now += rhythm.heartbeat;
        await line.present(null);
      }
    }
    await allowReturn(rules.context);
    // The line itself is forgotten before their time is over.
    rules.now += rhythm.silence + 1;
    await sweep(rules.context);
    rules.now += rhythm.podLostAfter;
    await sweep(rules.context);
    expect(await listWorkers(rules.context, pool)).toHaveLength(4);
    expect(await rules.context.db.selectFrom('alarms').select('kind').execute()).toEqual([
      { kind: 'MASS_LOSS' },
    ]);
  });

  it('get no run while the line says why none can be taken, and the run says so; then they do, and nothing is counted', async () => {
    const line = openLine();
    const workers = some(3);
    await line.register(workers);
    const run = await makeRun(rules, await makeStack(rules, pool));
    const reason = 'the API server of its cluster does not answer: connect ECONNREFUSED';
    await line.present(3, [], reason);
    for (let time = 0; time < 30; time += 1) {
      rules.now += rhythm.heartbeat;
      await line.present(3, [], reason);
      await sweep(rules.context);
      expect(await assignNext(rules.context, pool)).toBeUndefined();
    }
    expect(await poolReason(rules.context, pool)).toContain('connect ECONNREFUSED');
    await line.present(3);
    expect((await assignNext(rules.context, pool))?.run).toMatchObject({ id: run.id, attempt: 1 });
  });

  it('that hold a run keep it while the line says that none can be taken, and say themselves when they can', async () => {
    const line = openLine();
    const [worker = '', other = ''] = some(2);
    await line.register([worker, other]);
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    const [busy, idle] = match.worker.id === worker ? [worker, other] : [other, worker];
    await line.present(2, [busy], 'away');
    rules.now += rhythm.silence - 1;
    await line.present(2, [busy], 'away');
    expect(await row(busy)).toMatchObject({ run_id: match.run.id, unavailable: null, connected: true });
    expect((await row(idle))?.unavailable).toBe('away');
  });

  it('has its run until its time to come back is over, much longer than on a machine, and not a millisecond more', async () => {
    const line = openLine();
    await line.register(some(1));
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await line.broke();
    for (const time of [rhythm.lostAfter, rhythm.podLostAfter - rhythm.lostAfter - 1]) {
      rules.now += time;
      await sweep(rules.context);
      expect(await find(rules, match.run.id)).toMatchObject({ state: 'INITIALIZING', begun: true });
    }
    rules.now += 1;
    await sweep(rules.context);
    expect(await find(rules, match.run.id)).toMatchObject({ state: 'FAILED', failure_code: 'WORKER_LOST' });
  });

  it('stay where they have registered last, whatever the line before says or does', async () => {
    const [before, after] = [openLine(), openLine()];
    const [worker = '', other = ''] = some(2);
    await before.register([worker, other]);
    await after.register([worker]);
    rules.sent.length = 0;
    await before.heartbeat(worker, null);
    expect(saidTo(worker)).toEqual(['unregistered']);
    await before.broke();
    expect(await connected()).toEqual([worker]);
    expect((await row(worker))?.line).toBe(after.id);
  });

  it('do not come back by a word that was under way when the line broke', async () => {
    const line = openLine();
    const [worker = ''] = some(1);
    await line.register([worker]);
    await line.broke();
    rules.sent.length = 0;
    await line.present(1);
    expect(await connected()).toEqual([]);
    expect(saidTo(line.id)).toEqual(['unregistered']);
  });

  it('are back with the next word after a restart of the control plane', async () => {
    const line = openLine();
    await line.register(some(2));
    await allowReturn(rules.context);
    expect(await connected()).toEqual([]);
    await line.present(2);
    expect(await connected()).toHaveLength(2);
  });

  it('are counted: a line that carries others than are known here is told', async () => {
    const line = openLine();
    const [worker = '', other = ''] = some(2);
    await line.register([worker, other]);
    rules.sent.length = 0;
    await line.present(2);
    await line.present(null);
    expect(rules.sent).toEqual([]);
    await line.present(1);
    await line.leave(worker);
    await line.present(1);
    await line.present(2);
    const itself = { pool, worker: line.id, session: line.session, line: null };
    expect(rules.sent.map(({ to, body }) => [to, body.type])).toEqual([
      [itself, 'unregistered'],
      [itself, 'unregistered'],
    ]);
    expect(await connected()).toEqual([other]);
  });
});

describe('a run of a worker on a shared line', () => {
  it('that never came to the worker goes back to the queue, and the worker gets the next one', async () => {
    const line = openLine();
    await line.register(some(1));
    await makeRun(rules, await makeStack(rules, pool));
    const { run, worker } = await assigned(rules, pool);
    await line.present(1);
    expect((await row(worker.id))?.run_id).toBe(run.id);
    rules.now += rhythm.acceptWithin;
    await sweep(rules.context);
    expect((await find(rules, run.id)).state).toBe('QUEUED');
    expect(await assignNext(rules.context, pool)).toBeUndefined();
    await line.present(1);
    expect((await assigned(rules, pool)).run.id).toBe(run.id);
  });

  it('is left alone while the line names its worker, or cannot name so many', async () => {
    const line = openLine();
    await line.register(some(1));
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    for (const others of [[match.worker.id], null]) {
      rules.now += rhythm.heartbeat;
      await line.present(1, others);
      await line.heartbeat(match.worker.id, { run: match.run.id, attempt: 1, begun: true });
      await sweep(rules.context);
    }
    expect(await find(rules, match.run.id)).toMatchObject({ begun: true, worker_id: match.worker.id });
  });

  it('fails when its worker is connected and says that it does not have it', async () => {
    const line = openLine();
    await line.register(some(1));
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    rules.now += rhythm.heartbeat;
    await line.present(1);
    expect(await find(rules, match.run.id)).toMatchObject({ state: 'FAILED', failure_code: 'WORKER_LOST' });
  });

  it('stays with its worker over the loss of the line, and is not begun twice', async () => {
    const [before, after] = [openLine(), openLine()];
    await before.register(some(2));
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await before.broke();
    rules.now += 60_000;
    await sweep(rules.context);
    rules.sent.length = 0;
    await after.register([match.worker.id], { run: match.run.id, attempt: match.run.attempt, begun: true });
    expect(saidTo(match.worker.id)).toEqual(['registered']);
    expect(await find(rules, match.run.id)).toMatchObject({ begun: true, worker_id: match.worker.id });
    await expect(begun(rules, match)).resolves.toBeUndefined();
  });

  it('never comes to a worker that was told "not busy" when it was drained, wherever its line is', async () => {
    const [before, after] = [openLine(), openLine()];
    const [worker = ''] = some(1);
    await before.register([worker]);
    expect((await setDrained(rules.context, pool, worker, true)).run_id).toBeNull();
    await makeRun(rules, await makeStack(rules, pool));
    await before.present(1);
    await before.broke();
    await after.register([worker]);
    await after.present(1);
    expect(await assignNext(rules.context, pool)).toBeUndefined();
    await setDrained(rules.context, pool, worker, false);
    expect(await assignNext(rules.context, pool)).toBeDefined();
  });
});
