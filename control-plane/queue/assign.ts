// Hands the first waiting run of a pool to the worker that has been idle longest, in one transaction.
import { sql } from 'kysely';
import type { Context, Tx } from '../context.js';
import { changeRun, tell } from '../runs/change.js';
import { advance } from '../runs/turns.js';
import { deadlineOf, endStates, writeTypes } from '../runs/transitions.js';
import type { RunRow, WorkerRow } from '../store/schema.js';

export interface Match {
  readonly run: RunRow;
  readonly worker: WorkerRow;
}

/**
 * Answers undefined when no run waits that may start, or no worker is free. The row of the worker is locked, as
 * it is when the worker is drained: whichever comes first, the other sees it. Rows that another process holds
 * are passed over, so this never waits.
 */
export async function assignNext(context: Context, pool: string): Promise<Match | undefined> {
  const match = await context.db.transaction().execute(async (tx) => {
    const worker = await idleWorker(tx, pool);
    if (worker === undefined) return undefined;
    const next = await nextRun(tx, pool);
    if (next === undefined) return undefined;
    await advance(tx, next.run, next.poolTurn);
    return take(tx, context, worker, next.run);
  });
  if (match !== undefined) {
    tell(context, match.run);
    context.events.emit({ kind: 'worker', pool, worker: match.worker.id, free: false });
    const waited = Math.max(0, context.clock.now() - match.run.queued_at);
    context.events.emit({ kind: 'assigned', run: match.run.id, pool, waited });
  }
  return match;
}

function idleWorker(tx: Tx, pool: string): Promise<WorkerRow | undefined> {
  return tx
    .selectFrom('workers')
    .selectAll()
    .where('pool_id', '=', pool)
    .where('connected', '=', true)
    .where('leaving', '=', false)
    .where('drained', '=', false)
    .where('unavailable', 'is', null)
    .where('run_id', 'is', null)
    .orderBy('available_at')
    .orderBy('id')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
}

/**
 * The queue's order: priority, then turn, then age. What is held stays, see runs/holds.ts; that write runs of one
 * stack leave the queue one at a time is checked again here, and once more by the index runs_one_write_per_stack.
 */
async function nextRun(tx: Tx, pool: string): Promise<Next | undefined> {
  const next = await firstRun(tx, pool, {});
  if (next?.run.drift !== true || (await driftAllowed(tx, pool))) return next;
  return firstRun(tx, pool, { drift: false });
}

interface Next {
  readonly run: RunRow;
  /** The turn that the pool is at. */
  readonly poolTurn: number;
}

async function firstRun(tx: Tx, pool: string, only: { readonly drift?: boolean }): Promise<Next | undefined> {
  let query = tx
    .selectFrom('runs')
    .selectAll()
    .select(sql<number>`(select turn from worker_pools where worker_pools.id = runs.pool_id)`.as('pool_turn'))
    .where('pool_id', '=', pool)
    .where('worker_id', 'is', null)
    .where('state', 'in', ['QUEUED', 'CONFIRMED'])
    .where('hold', 'is', null)
    .where(mayLeaveQueue);
  if (only.drift !== undefined) query = query.where('drift', '=', only.drift);
  const found = await query
    .orderBy('priority', 'desc')
    .orderBy('turn')
    .orderBy('queued_at')
    .orderBy('id')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  if (found === undefined) return undefined;
  const { pool_turn, ...run } = found;
  return { run, poolTurn: pool_turn };
}

/**
 * Whether one more run of the pool may look for drift. Locks the pool's row where there is a limit, so that two
 * processes do not each let the last one go.
 */
async function driftAllowed(tx: Tx, pool: string): Promise<boolean> {
  const { limit } = await tx
    .selectFrom('worker_pools')
    .select('drift_detection_run_limit as limit')
    .where('id', '=', pool)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  if (limit === null) return true;
  const { active } = await tx
    .selectFrom('runs')
    .select(({ fn }) => fn.countAll<number>().as('active'))
    .where('pool_id', '=', pool)
    .where('drift', '=', true)
    .where('worker_id', 'is not', null)
    .executeTakeFirstOrThrow();
  return active < limit;
}

/** True for a run that no other run of its stack holds back. */
const mayLeaveQueue = sql<boolean>`(
  runs.state = 'CONFIRMED'
  or runs.type not in (${sql.join(writeTypes)})
  or not exists (
    select 1 from runs as other
    where other.stack_id = runs.stack_id
      and other.type in (${sql.join(writeTypes)})
      and other.state not in ('QUEUED', ${sql.join(endStates)})
  )
)`;

async function take(tx: Tx, context: Context, worker: WorkerRow, run: RunRow): Promise<Match> {
  const now = context.clock.now();
  const assigned = await changeRun(tx, context, run, {
    // For the apply stage the state stays CONFIRMED until it begins; the wait for the worker has a deadline all the same.
    ...(run.stage === 'APPLY' ? {} : { state: 'READY' as const }),
    deadline: deadlineOf('READY', now),
    worker: worker.id,
    set: { worker_id: worker.id, attempt: run.attempt + 1, applied_number: 0 },
  });
  await tx
    .updateTable('workers')
    .set({ run_id: run.id, busy_since: now })
    .where('id', '=', worker.id)
    .execute();
  return { run: assigned, worker: { ...worker, run_id: run.id } };
}
