// Hands the first waiting run of a pool to the worker that has been idle longest, in one transaction.
import { sql } from 'kysely';
import type { Context, Tx } from '../context.js';
import { changeRun, tell } from '../runs/change.js';
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
    const run = await nextRun(tx, pool);
    if (run === undefined) return undefined;
    return take(tx, context, worker, run);
  });
  if (match !== undefined) {
    tell(context, match.run);
    context.events.emit({ kind: 'worker', pool, worker: match.worker.id, free: false });
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
    .where('run_id', 'is', null)
    .orderBy('available_at')
    .orderBy('id')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
}

/** The queue's order: priority, then age. Write runs of one stack leave it one at a time. */
function nextRun(tx: Tx, pool: string): Promise<RunRow | undefined> {
  return tx
    .selectFrom('runs')
    .selectAll()
    .where('pool_id', '=', pool)
    .where('worker_id', 'is', null)
    .where('state', 'in', ['QUEUED', 'CONFIRMED'])
    .where(mayLeaveQueue)
    .orderBy('priority', 'desc')
    .orderBy('queued_at')
    .orderBy('id')
    .limit(1)
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
}

/** True for a run that no other run of its stack holds back. The index runs_one_write_per_stack says the same. */
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
  await tx.updateTable('workers').set({ run_id: run.id }).where('id', '=', worker.id).execute();
  return { run: assigned, worker: { ...worker, run_id: run.id } };
}
