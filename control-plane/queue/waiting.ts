// Why a run waits, in words, until when, and its place in the queue.
import type { Context } from '../context.js';
import { upstreamRun } from '../runs/holds.js';
import { endStates, isWrite, transitions, writeTypes } from '../runs/transitions.js';
import { positionsOf } from './position.js';
import { publicPoolId } from '../store/pool-tables.js';
import type { PoolRow, RunRow, WorkerRow } from '../store/schema.js';

type Reading = Pick<Context, 'db' | 'clock'>;

/** As `positionsOf`; null for a run that does not wait for a worker, and for one that is held. */
export async function queuePosition(context: Pick<Context, 'db'>, run: RunRow): Promise<number | null> {
  if (!waitsForWorker(run) || run.hold !== null) return null;
  return (await positionsOf(context, run.pool_id, [run])).get(run.id) ?? null;
}

/**
 * A sentence for people, without a full stop; null for a run that works or has ended. `spaces`: stacks of others are
 * not named; null: all are.
 */
export async function waitReason(
  context: Reading,
  run: RunRow,
  spaces: readonly string[] | null = null,
): Promise<string | null> {
  const reason = await whyItWaits(context, run, spaces);
  if (reason === null || run.deadline_at === null) return reason;
  return `${reason}; ${endOf(run)} at ${minuteOf(run.deadline_at)}`;
}

/** What happens at the deadline of a run: `ends as FAILED`. Empty without one. */
export function endOf({ state, deadline_at }: RunRow): string {
  const { then } = transitions[state];
  if (deadline_at === null || then === null) return '';
  return then === 'requeue' ? 'goes back to the queue' : `ends as ${then}`;
}

function minuteOf(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** The same without the end of the wait. */
export async function whyItWaits(
  context: Reading,
  run: RunRow,
  spaces: readonly string[] | null,
): Promise<string | null> {
  if (run.state === 'UNCONFIRMED') return 'waits for someone to confirm or discard the plan';
  if (run.state === 'READY') return `assigned to worker ${run.worker_id ?? ''}, which has not answered yet`;
  if (!waitsForWorker(run)) return null;
  return (
    (await holdReason(context, run, spaces)) ?? (await limitReason(context, run)) ?? poolReason(context, run)
  );
}

function waitsForWorker(run: RunRow): boolean {
  return run.worker_id === null && (run.state === 'QUEUED' || run.state === 'CONFIRMED');
}

async function holdReason(
  context: Reading,
  run: RunRow,
  spaces: readonly string[] | null,
): Promise<string | null> {
  const stack = await context.db
    .selectFrom('stacks')
    .select(['disabled', 'locked_by', 'lock_note'])
    .where('id', '=', run.stack_id)
    .executeTakeFirst();
  if (run.hold !== null && stack?.disabled === true) return 'its stack is disabled';
  if (run.state === 'CONFIRMED' || !isWrite(run.type)) return null;
  if (stack?.locked_by != null && stack.locked_by !== run.requested_by) {
    const note = stack.lock_note === null ? '' : `: ${stack.lock_note}`;
    return `its stack is locked by ${stack.locked_by}${note}`;
  }
  const other = await writeBefore(context, run);
  if (other !== undefined) return `waits for run ${other.id} of the same stack, which is ${other.state}`;
  const upstream = await upstreamRun(context.db, run.stack_id, run.id);
  if (upstream === undefined) return null;
  return spaces !== null && !spaces.includes(upstream.space)
    ? 'waits for a stack that it depends on'
    : `waits for stack ${upstream.stack_id}, whose run ${upstream.id} is ${upstream.state}`;
}

/** The run of the same stack that is under way, or else the first of its queue when that is another one. */
async function writeBefore({ db }: Reading, run: RunRow): Promise<Pick<RunRow, 'id' | 'state'> | undefined> {
  const writes = db
    .selectFrom('runs')
    .select(['id', 'state'])
    .where('stack_id', '=', run.stack_id)
    .where('type', 'in', writeTypes);
  const active = await writes.where('state', 'not in', ['QUEUED', ...endStates]).executeTakeFirst();
  if (active !== undefined || run.hold !== 'STACK') return active;
  const first = await writes
    .where('worker_id', 'is', null)
    .where('state', '=', 'QUEUED')
    .orderBy('priority', 'desc')
    .orderBy('turn')
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return first?.id === run.id ? undefined : first;
}

async function limitReason({ db }: Reading, run: RunRow): Promise<string | null> {
  if (!run.drift) return null;
  const pool = await poolOf(db, run);
  const limit = pool?.drift_detection_run_limit ?? null;
  if (limit === null) return null;
  const { active } = await db
    .selectFrom('runs')
    .select(({ fn }) => fn.countAll<number>().as('active'))
    .where('pool_id', '=', run.pool_id)
    .where('drift', '=', true)
    .where('worker_id', 'is not', null)
    .executeTakeFirstOrThrow();
  if (active < limit) return null;
  return limit === 0
    ? 'the worker pool runs no drift detection (limit 0)'
    : `the worker pool's limit of ${String(limit)} for drift detection is reached`;
}

function poolOf(db: Reading['db'], run: RunRow): Promise<PoolRow | undefined> {
  return db.selectFrom('worker_pools').selectAll().where('id', '=', run.pool_id).executeTakeFirst();
}

type Seen = Pick<WorkerRow, 'connected' | 'leaving' | 'drained' | 'run_id' | 'busy_since' | 'unavailable'>;

async function poolReason(context: Reading, run: RunRow): Promise<string> {
  const workers = await context.db
    .selectFrom('workers')
    .select(['connected', 'leaving', 'drained', 'run_id', 'busy_since', 'unavailable'])
    .where('pool_id', '=', run.pool_id)
    .execute();
  if (workers.length === 0) return emptyReason(context, run);
  const here = workers.filter(({ connected }) => connected);
  const busy = here.filter(({ run_id }) => run_id !== null);
  const drained = here.filter((worker) => worker.run_id === null && worker.drained).length;
  const others = here.filter((worker) => worker.run_id === null && !worker.drained);
  const leaving = others.filter((worker) => worker.leaving).length;
  const without = others.filter((worker) => !worker.leaving && worker.unavailable !== null);
  const away = workers.length - here.length;
  const counted = [
    [busy.length, `busy${oldest(context, busy)}`],
    [drained, 'drained'],
    [leaving, 'leaving'],
    [without.length, `not able to take one (${without[0]?.unavailable?.replace(/\.$/, '') ?? ''})`],
    [away, 'out of contact'],
  ] as const;
  const unfit = busy.length + drained + leaving + without.length + away;
  if (unfit < workers.length) return 'a worker is idle; it is about to start';
  const total = String(workers.length);
  const parts = counted.filter(([count]) => count > 0);
  return `no idle worker: ${parts.map(([count, word]) => `${String(count)} of ${total} ${word}`).join('; ')}`;
}

function oldest({ clock }: Reading, busy: readonly Seen[]): string {
  const since = busy.flatMap(({ busy_since }) => busy_since ?? []);
  if (since.length === 0) return '';
  const minutes = Math.floor((clock.now() - Math.min(...since)) / 60_000);
  if (minutes < 1) return ', the oldest for less than a minute';
  return minutes < 120
    ? `, the oldest for ${String(minutes)} min`
    : `, the oldest for ${String(Math.floor(minutes / 60))} h`;
}

async function emptyReason({ db }: Reading, run: RunRow): Promise<string> {
  const pool = await poolOf(db, run);
  const since = pool?.workers_gone_at ?? null;
  const empty = since === null ? 'has no workers yet' : `has had no workers since ${minuteOf(since)}`;
  return run.pool_id === publicPoolId
    ? `the public worker pool, where runs of stacks without a pool go, ${empty}`
    : `the worker pool ${empty}`;
}
