// A worker is gone: its row is removed, and its run goes back to the queue or fails with what is known.
import type { Context, Tx } from '../context.js';
import { requeue } from '../runs/attempts.js';
import { changeRun, lockRunIfThere, tell } from '../runs/change.js';
import type { RunRow, WorkerRow } from '../store/schema.js';

/**
 * Removes a worker whose `lost_at` has passed. Checked again under the lock: a worker that came back in the
 * meantime stays. Answers whether it was removed.
 */
export async function endRunOf(context: Context, worker: string, cause: string): Promise<boolean> {
  const lastLine = await lastLineOf(context, worker);
  const outcome = await context.db.transaction().execute(async (tx) => {
    const row = await tx
      .selectFrom('workers')
      .selectAll()
      .where('id', '=', worker)
      .forUpdate()
      .executeTakeFirst();
    if (row?.lost_at == null || row.lost_at > context.clock.now()) return undefined;
    await tx.deleteFrom('workers').where('id', '=', worker).execute();
    await remember(tx, context, row);
    const run =
      row.run_id === null ? undefined : await release(tx, context, row, row.run_id, cause, lastLine);
    await noteEmpty(tx, context, row.pool_id);
    return { row, run };
  });
  if (outcome === undefined) return false;
  const { row, run } = outcome;
  const level = row.run_id === null ? 'info' : 'warn';
  context.log[level]({ worker, pool: row.pool_id, run: row.run_id, cause }, 'worker is gone');
  if (run !== undefined) tell(context, run);
  context.events.emit({ kind: 'worker', pool: row.pool_id, worker, free: false });
  return true;
}

/** Milliseconds after which nobody expects a lost worker any more. */
const remembered = 7 * 24 * 60 * 60 * 1000;

/** It may come back, not knowing what was decided about it while its line was broken. */
async function remember(tx: Tx, context: Context, { id, pool_id, drained }: WorkerRow): Promise<void> {
  const now = context.clock.now();
  await tx
    .deleteFrom('lost_workers')
    .where('lost_at', '<', now - remembered)
    .execute();
  await tx
    .insertInto('lost_workers')
    .values({ id, pool_id, drained, lost_at: now })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ drained, lost_at: now }))
    .execute();
}

/** So that a run that waits there can say since when the pool has nobody. */
async function noteEmpty(tx: Tx, context: Context, pool: string): Promise<void> {
  await tx
    .updateTable('worker_pools')
    .set({ workers_gone_at: context.clock.now() })
    .where('id', '=', pool)
    .where((is) => is.not(is.exists(is.selectFrom('workers').select('id').where('pool_id', '=', pool))))
    .execute();
}

/**
 * Takes a run from a worker that does not have it any more: back to the queue, or to its end. For a transaction
 * that holds the worker's row. Answers undefined when the run is not the worker's, or was
 * deleted with its stack.
 */
export async function release(
  tx: Tx,
  context: Context,
  worker: WorkerRow,
  runId: string,
  cause: string,
  lastLine: string | null,
): Promise<RunRow | undefined> {
  const run = await lockRunIfThere(tx, runId);
  if (run?.worker_id !== worker.id) return undefined;
  if (!run.begun) return requeue(tx, context, run, `worker ${worker.id} is gone: ${cause}`);
  const message = lossMessage(worker, run, cause, lastLine);
  if (run.stop_requested_at !== null) {
    return changeRun(tx, context, run, {
      state: 'STOPPED',
      note: `${run.stop_note ?? 'stopped'}; ${message}`,
      set: { worker_id: null, begun: false },
    });
  }
  return changeRun(tx, context, run, {
    state: 'FAILED',
    note: message,
    set: { worker_id: null, begun: false, failure_code: 'WORKER_LOST', failure_message: message },
  });
}

/** Worker, instance, last contact, last log line, cause: what a person needs to start looking. */
function lossMessage(worker: WorkerRow, run: RunRow, cause: string, lastLine: string | null): string {
  const instance = worker.metadata['instance_id'] ?? worker.metadata['gcp_instance_id'];
  return (
    `Worker ${worker.id}${instance === undefined ? '' : ` on instance ${instance}`} was lost while the run was ${run.state}: ` +
    `${cause}. Last contact ${new Date(worker.last_contact_at).toISOString()}. ` +
    (lastLine === null ? 'It had sent no log line.' : `Last log line: ${lastLine}`)
  );
}

async function lastLineOf(context: Context, worker: string): Promise<string | null> {
  const row = await context.db
    .selectFrom('workers')
    .select('run_id')
    .where('id', '=', worker)
    .executeTakeFirst();
  return row?.run_id == null ? null : context.logs.lastLine(row.run_id);
}
