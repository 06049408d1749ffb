// What a worker does with an assignment before the run begins: accept, reject, begin. Each holds only while the
// attempt is still the current one; that is what keeps two workers from running the same thing.
import { errorCodes, PoolwrightError } from '../../protocol/errors.js';
import type { Context, Tx } from '../context.js';
import type { RunRow } from '../store/schema.js';
import { changeRun, lockRun, runNotFound, tell } from './change.js';
import {
  attemptsWithUnfitWorkers,
  begunState,
  deadlineOf,
  isEnd,
  requeuedState,
  unbegunAttemptsAllowed,
} from './transitions.js';

/** Locks a run for the worker that holds this attempt. Throws STALE_ATTEMPT when it no longer does. */
export async function lockAttempt(tx: Tx, run: string, attempt: number, worker: string): Promise<RunRow> {
  const row = await lockRun(tx, run);
  if (row.attempt !== attempt || row.worker_id !== worker || isEnd(row.state)) throw stale(row, attempt);
  return row;
}

/** Locks are taken in one order everywhere: worker, stack, run, pool. */
export async function lockWorker(tx: Tx, worker: string): Promise<void> {
  await tx.selectFrom('workers').select('id').where('id', '=', worker).forUpdate().execute();
}

function stale(row: RunRow, attempt: number): PoolwrightError {
  return new PoolwrightError(
    'STALE_ATTEMPT',
    `Attempt ${String(attempt)} of run ${row.id} no longer counts: the run is ${row.state}` +
      `${row.attempt === attempt ? '' : ` in attempt ${String(row.attempt)}`}. Drop what was prepared.`,
  );
}

/** The worker takes the run and starts to prepare it. Saying it twice changes nothing. Throws STALE_ATTEMPT. */
export async function acceptRun(
  context: Context,
  run: string,
  attempt: number,
  worker: string,
): Promise<void> {
  const row = await context.db.transaction().execute(async (tx) => {
    const current = await lockAttempt(tx, run, attempt, worker);
    if (current.begun || current.state === 'PREPARING') return current;
    // The apply stage keeps the state CONFIRMED until it begins, so its deadline is set here.
    return current.stage === 'APPLY'
      ? changeRun(tx, context, current, { deadline: deadlineOf('PREPARING', context.clock.now()) })
      : changeRun(tx, context, current, { state: 'PREPARING' });
  });
  tell(context, row);
}

/** Reasons that lie with the worker and not with the run. */
const ofWorker: ReadonlySet<string> = new Set(['DISK_FULL', 'ENGINE_UNAVAILABLE']);

/** The worker cannot take it: back to the queue. Throws STALE_ATTEMPT, CONFLICT when the run has begun. */
export async function rejectRun(
  context: Context,
  run: string,
  attempt: number,
  worker: string,
  reason: { readonly code: string; readonly message: string },
): Promise<void> {
  const row = await context.db.transaction().execute(async (tx) => {
    await lockWorker(tx, worker);
    const current = await lockAttempt(tx, run, attempt, worker);
    if (current.begun) {
      throw new PoolwrightError(
        'CONFLICT',
        `Run ${run} has begun and cannot be given back. Report its result.`,
      );
    }
    const freed = await tx
      .updateTable('workers')
      .set({
        run_id: null,
        available_at: context.clock.now(),
        // What it cannot do for this run it cannot do for the next one either, until it says otherwise.
        ...(ofWorker.has(reason.code) ? { unavailable: reason.message.slice(0, 1024) } : {}),
      })
      .where('id', '=', worker)
      .where('run_id', '=', run)
      .returning('pool_id')
      .execute();
    context.log.warn({ run, worker, attempt, ...reason, freed: freed.length }, 'worker rejected a run');
    return requeue(
      tx,
      context,
      current,
      `worker ${worker} could not take it (${reason.code}): ${reason.message}`,
      Object.hasOwn(errorCodes, reason.code) ? reason.code : undefined,
    );
  });
  tell(context, row);
  context.events.emit({ kind: 'worker', pool: row.pool_id, worker, free: true });
}

/**
 * The worker asks to run the first command. After the answer the run never goes to another worker.
 * Saying it twice changes nothing. Throws STALE_ATTEMPT.
 */
export async function beginRun(
  context: Context,
  run: string,
  attempt: number,
  worker: string,
): Promise<void> {
  const row = await context.db.transaction().execute(async (tx) => {
    const current = await lockAttempt(tx, run, attempt, worker);
    if (current.begun) return current;
    if (current.stop_requested_at !== null) throw stale(current, attempt);
    return changeRun(tx, context, current, {
      state: begunState(current.stage),
      set: { begun: true, unbegun_attempts: 0 },
    });
  });
  tell(context, row);
}

/**
 * Puts a run that has not begun back where it waits for a worker, or fails it when that happened too often. `code`: what
 * a worker gave as the reason.
 */
export async function requeue(
  tx: Tx,
  context: Context,
  row: RunRow,
  note: string,
  code = 'UNAVAILABLE',
): Promise<RunRow> {
  const counts = !ofWorker.has(code) || row.attempt > attemptsWithUnfitWorkers;
  const unbegun = row.unbegun_attempts + (counts ? 1 : 0);
  if (unbegun >= unbegunAttemptsAllowed) {
    return changeRun(tx, context, row, {
      state: 'FAILED',
      note,
      set: {
        worker_id: null,
        unbegun_attempts: unbegun,
        failure_code: code,
        failure_message: `${String(unbegun)} workers in a row did not get to the first command. The last: ${note}`,
      },
    });
  }
  const state = requeuedState(row.stage);
  return changeRun(tx, context, row, {
    state,
    deadline: deadlineOf(state, context.clock.now()),
    note,
    set: { worker_id: null, unbegun_attempts: unbegun },
  });
}

/**
 * Whether a worker may still report on its attempt: it holds the run, or it sends again what is known already,
 * because the answer to its result got lost. `last`: highest number it sends, 0 for none. Throws STALE_ATTEMPT.
 */
export async function assertReporting(
  context: Pick<Context, 'db'>,
  grant: { readonly run: string; readonly attempt: number; readonly worker: string },
  last: number,
): Promise<RunRow> {
  const row = await context.db.selectFrom('runs').selectAll().where('id', '=', grant.run).executeTakeFirst();
  if (row === undefined) throw runNotFound(grant.run);
  const holds = row.attempt === grant.attempt && row.worker_id === grant.worker;
  const repeats = row.attempt === grant.attempt && row.worker_id === null && last <= row.applied_number;
  if (!holds && !repeats) throw stale(row, grant.attempt);
  return row;
}
