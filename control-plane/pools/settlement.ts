// What a worker holds, compared with what the database says that it holds, both ways: every difference is settled.
import type { HeldRun } from '../../protocol/messages.js';
import type { Context, Tx } from '../context.js';
import type { Match } from '../queue/assign.js';
import { sendAssignment } from '../queue/assignment.js';
import { lockRunIfThere, tell } from '../runs/change.js';
import type { RunRow, WorkerRow } from '../store/schema.js';
import { release } from './loss.js';
import { addressOf, isFree } from './workers.js';

/** What a worker says that it holds, and when that came. */
export interface Report {
  readonly held: HeldRun;
  readonly by: 'register' | 'heartbeat';
  readonly receivedAt: number | undefined;
}

/** What has to be said to a worker after its report was compared with the database. */
export interface Settlement {
  readonly worker: WorkerRow;
  /** The attempt the worker holds and must drop. */
  readonly stale: HeldRun;
  /** An assignment that it has not accepted yet and may not have received. */
  readonly resend?: Match | undefined;
  /** Its run, when it is to be stopped: the worker may have been away when it was told. */
  readonly stop?: RunRow | undefined;
  /** The run that was taken from the worker, because it does not have it. */
  readonly ended?: RunRow | undefined;
}

/**
 * A report may have been under way while the run was handed over by another connection; one that is made this
 * many milliseconds after the run's last change knows of it.
 */
const crossing = 5000;

/** For a transaction that holds the worker's row. */
export async function settle(
  tx: Tx,
  context: Context,
  worker: WorkerRow,
  { held, by, receivedAt = context.clock.now() }: Report,
): Promise<Settlement> {
  const run = worker.run_id === null ? undefined : await lockRunIfThere(tx, worker.run_id);
  const holds = run !== undefined && run.worker_id === worker.id;
  const stale =
    held !== null && (!holds || run.id !== held.run || run.attempt !== held.attempt) ? held : null;
  if (holds) {
    if (held?.run === run.id && held.attempt === run.attempt) {
      const untold = by === 'register' && run.stop_requested_at !== null;
      return { worker, stale, stop: untold ? run : undefined };
    }
    const resend = resendable(context, run, worker, by);
    if (resend !== undefined || receivedAt - run.updated_at < crossing) return { worker, stale, resend };
    const cause = 'it is connected, but reports that it does not have the run';
    const lastLine = await context.logs.lastLine(run.id, tx);
    const ended = await release(tx, context, worker, run.id, cause, lastLine);
    return { worker: held === null ? await free(tx, context, worker) : worker, stale, ended };
  }
  if (worker.run_id === null || held !== null) return { worker, stale };
  // The run has ended or moved on, and the worker says that its hands are empty: it may have the next one.
  return { worker: await free(tx, context, worker), stale };
}

function free(tx: Tx, context: Context, worker: WorkerRow): Promise<WorkerRow> {
  return tx
    .updateTable('workers')
    .set({ run_id: null, available_at: context.clock.now() })
    .where('id', '=', worker.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/**
 * The database says that the worker has a run, the worker says that it has not. An assignment that was sent a
 * moment ago may have crossed the report on its way, so only a registration asks for it again.
 */
function resendable(
  context: Context,
  run: RunRow,
  worker: WorkerRow,
  by: 'register' | 'heartbeat',
): Match | undefined {
  const inTime = run.deadline_at !== null && run.deadline_at > context.clock.now();
  const unaccepted = run.state === 'READY' || (run.state === 'CONFIRMED' && !run.begun);
  return by === 'register' && unaccepted && inTime ? { run, worker } : undefined;
}

/** After the transaction. `before`: the worker's row before a report that may have changed nothing. */
export async function carryOut(
  context: Context,
  { worker, stale, resend, stop, ended }: Settlement,
  before?: WorkerRow,
): Promise<void> {
  if (stale !== null) {
    context.outbox.send(addressOf(worker), {
      type: 'stop',
      run: stale.run,
      attempt: stale.attempt,
      kind: 'stale',
      reason: 'the run has ended or is with another worker',
    });
  }
  if (stop !== undefined) {
    context.outbox.send(addressOf(worker), {
      type: 'stop',
      run: stop.id,
      attempt: stop.attempt,
      kind: 'stop',
      reason: (stop.stop_note ?? 'somebody asked for it').slice(0, 1024),
    });
  }
  if (resend !== undefined) await sendAssignment(context, resend);
  if (ended !== undefined) tell(context, ended);
  if (before === undefined || looksOtherThan(before, worker)) {
    context.events.emit({ kind: 'worker', pool: worker.pool_id, worker: worker.id, free: isFree(worker) });
  }
}

/** Most reports say nothing new, and a large pool sends a hundred of them a second: they wake nobody. */
function looksOtherThan(before: WorkerRow, after: WorkerRow): boolean {
  return (
    before.connected !== after.connected ||
    before.leaving !== after.leaving ||
    before.run_id !== after.run_id ||
    before.unavailable !== after.unavailable
  );
}
