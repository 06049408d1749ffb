// Reports that say nothing new are noted together, and whatever is new is dealt with at once, wherever it was decided.
import { afterEach, expect, it } from 'vitest';
import { createInbox, type Inbox } from '../../../control-plane/broker/inbox.js';
import { resetPool } from '../../../control-plane/pools/pools.js';
import { listWorkers } from '../../../control-plane/pools/workers.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { createEvents } from '../../../control-plane/events.js';
import { rhythm } from '../../../protocol/limits.js';
import type { HeldRun, UpMessage } from '../../../protocol/messages.js';
import { upTopic } from '../../../protocol/topics.js';
import { encodeUp } from '../../../protocol/wire.js';
import { ulid } from 'ulid';
import { assigned, begun, eachWithRules, find, makeRun, makeStack, type Rules } from '../support/rules.js';

let rules: Rules;
let pool: string;
let inbox: Inbox;
let statements: number;
eachWithRules((given) => {
  ({ rules, pool } = given);
  statements = 0;
  const counting = rules.context.db.withPlugin({
    transformQuery: ({ node }) => {
      statements += 1;
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  });
  inbox = createInbox({ ...rules.context, db: counting });
});
afterEach(() => inbox.close());

const session = 'a'.repeat(32);
/** Until nothing has been asked of the database for longer than reports wait for each other. */
async function quiet(): Promise<void> {
  let before = -1;
  while (before !== statements) {
    before = statements;
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Says something for several workers at once and waits until it is dealt with. */
async function say(workers: readonly string[], message: object) {
  for (const worker of workers) {
    const text = { ...message, v: 1, session, at: rules.now } as UpMessage;
    inbox.receive({ topic: upTopic(pool, worker), payload: encodeUp(text), certificateSerial: '01' });
  }
  await quiet();
}

const register = (workers: readonly string[]) =>
  say(workers, {
    type: 'register',
    metadata: {},
    version: 'v',
    executor: 'host',
    held: null,
    leaving: false,
  });
const report = (workers: readonly string[], held: HeldRun = null) =>
  say(workers, { type: 'heartbeat', held, leaving: false });

async function connected(count: number): Promise<string[]> {
  const workers = Array.from({ length: count }, () => ulid()).sort();
  await register(workers);
  // The first report of each is dealt with by itself.
  await report(workers);
  await expect.poll(() => listWorkers(rules.context, pool)).toHaveLength(count);
  await report(workers);
  statements = 0;
  return workers;
}

const lastContact = async () =>
  new Set((await listWorkers(rules.context, pool)).map(({ last_contact_at }) => last_contact_at));

it('a hundred workers that say what they said before cost a statement or two, and stay connected', async () => {
  const workers = await connected(100);
  for (let time = 0; time < 5; time += 1) {
    rules.now += rhythm.heartbeat;
    await report(workers);
    await expect.poll(lastContact).toEqual(new Set([rules.now]));
    await sweep(rules.context);
  }
  expect(statements).toBeLessThanOrEqual(10);
  expect((await listWorkers(rules.context, pool)).every((worker) => worker.connected)).toBe(true);
});

it('a run that another process gave to a worker, which says that it does not have it, goes to the next', async () => {
  const [worker = ''] = await connected(1);
  const run = await makeRun(rules, await makeStack(rules, pool));
  // Nothing of it is told here.
  const elsewhere = { ...rules.context, events: createEvents(() => undefined) };
  await assigned({ ...rules, context: elsewhere }, pool);
  rules.now += 6000;
  await report([worker]);
  await expect.poll(async () => (await find(rules, run.id)).state).toBe('QUEUED');
  expect(await find(rules, run.id)).toMatchObject({ worker_id: null, unbegun_attempts: 1 });
});

it('a worker that works says so again and again; that its hands are free again is dealt with', async () => {
  const [worker = ''] = await connected(1);
  const { id } = await makeRun(rules, await makeStack(rules, pool));
  await begun(rules, await assigned(rules, pool));
  const held = { run: id, attempt: 1, begun: true };
  await report([worker], held);
  statements = 0;
  rules.now += rhythm.heartbeat;
  await report([worker], held);
  await expect.poll(lastContact).toEqual(new Set([rules.now]));
  expect(statements).toBe(1);
  await rules.context.db
    .updateTable('runs')
    .set({ worker_id: null, state: 'FAILED', deadline_at: null })
    .where('id', '=', id)
    .execute();
  // The run has ended, which the worker does not know: it is told to drop it.
  await report([worker], held);
  await expect.poll(() => rules.sent.some(({ body }) => body.type === 'stop')).toBe(true);
  await report([worker]);
  await expect.poll(async () => (await listWorkers(rules.context, pool))[0]?.run_id).toBe(null);
});

it('a worker that counts as out of contact is back with a report like the one before', async () => {
  const [worker = ''] = await connected(1);
  rules.now += rhythm.silence + 1;
  await sweep({ ...rules.context, events: createEvents(() => undefined) });
  expect((await listWorkers(rules.context, pool))[0]?.connected).toBe(false);
  await report([worker]);
  await expect.poll(async () => (await listWorkers(rules.context, pool))[0]?.connected).toBe(true);
});

it('a worker whose row is gone, or that was told to leave, is told again', async () => {
  const [gone = '', leaving = ''] = await connected(2);
  await rules.context.db.deleteFrom('workers').where('id', '=', gone).execute();
  await report([gone]);
  await expect
    .poll(() => rules.sent.filter(({ to }) => to.worker === gone).map(({ body }) => body.type))
    .toContain('unregistered');
  await resetPool({ ...rules.context, events: createEvents(() => undefined) }, pool, 'csr');
  rules.sent.length = 0;
  await report([leaving]);
  await expect.poll(() => rules.sent.map(({ body }) => body.type)).toContain('leave');
});
