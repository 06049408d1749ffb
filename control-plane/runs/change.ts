// The one way a run's row changes: state, deadline and history together, in a transaction. (A claim does the same in one
// statement, see queue/claim.ts.)
import { sql, type Updateable } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import type { RunState } from '../../protocol/runs.js';
import type { Context, Tx } from '../context.js';
import type { RunsTable } from '../store/run-tables.js';
import type { RunRow } from '../store/schema.js';
import { holdReads, refreshDependents, refreshHolds } from './holds.js';
import { traceEntered } from './traced.js';
import { deadlineOf, isEnd, isHeld, isWrite, mayFollow } from './transitions.js';

export interface RunChange {
  /** The state to enter; not given: the state stays. */
  readonly state?: RunState;
  /** Overrides the deadline that the table gives to the state. */
  readonly deadline?: number | null;
  /** For the history, together with a new state. */
  readonly note?: string | null;
  readonly username?: string | null;
  /** The worker named in the history; default: the one that holds the run before the change. */
  readonly worker?: string | null;
  readonly set?: Updateable<RunsTable>;
}

/** Reads a run's row and keeps it and its stack's from changing until the transaction ends. Throws NOT_FOUND. */
export async function lockRun(tx: Tx, run: string): Promise<RunRow> {
  // One statement: the stack's lock comes first, because the run's row is only locked once it is joined.
  const { rows } = await sql<RunRow>`
    with place as (
      select id from stacks where id = (select stack_id from runs where id = ${run}) for no key update
    )
    select runs.* from runs join place on place.id = runs.stack_id where runs.id = ${run} for update of runs`.execute(
    tx,
  );
  const row = rows[0];
  if (row === undefined) throw runNotFound(run);
  return row;
}

/** The same for a run that may have been deleted with its stack: undefined then. */
export function lockRunIfThere(tx: Tx, run: string): Promise<RunRow | undefined> {
  return lockRun(tx, run).catch((error: unknown) => {
    if (error instanceof PoolwrightError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  });
}

export function runNotFound(run: string): PoolwrightError {
  return new PoolwrightError('NOT_FOUND', `There is no run ${run}.`);
}

/** Changes a run that the caller has locked. Throws INTERNAL for a transition that the table does not have. */
export async function changeRun(
  tx: Tx,
  context: Pick<Context, 'clock' | 'traces'>,
  row: RunRow,
  change: RunChange,
): Promise<RunRow> {
  const now = context.clock.now();
  const { state } = change;
  if (state !== undefined && state !== row.state && !mayFollow(row.state, state)) {
    throw new PoolwrightError(
      'INTERNAL',
      `Run ${row.id} would go from ${row.state} to ${state}, which the table of states does not allow.`,
    );
  }
  const deadline =
    change.deadline !== undefined
      ? { deadline_at: change.deadline }
      : state === undefined
        ? {}
        : { deadline_at: deadlineOf(state, now) };
  // Put back as CONFIRMED it is in the state that it was in, and waits anew all the same.
  const waiting = state !== undefined && waits(state) ? { waiting_since: now } : {};
  const changed = await tx
    .updateTable('runs')
    .set({
      ...{ ...change.set, ...deadline, ...waiting },
      ...(state === undefined ? {} : { state }),
      updated_at: now,
    })
    .where('id', '=', row.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  if (state !== undefined && state !== row.state) {
    const worker = change.worker === undefined ? row.worker_id : change.worker;
    await record(tx, changed, change, worker, row.state);
    await traceEntered(tx, context, changed);
    await passOn(tx, changed);
  }
  return changed;
}

/**
 * A run that ends lets the next of its stack go, and those of the stacks that depend on it; one that comes back waits
 * in line, and one that was confirmed until its stack is enabled.
 */
async function passOn(tx: Tx, row: RunRow): Promise<void> {
  if (!isWrite(row.type)) {
    if (waits(row.state)) await holdReads(tx, row.stack_id);
    return;
  }
  if (!(isEnd(row.state) || waits(row.state))) return;
  await refreshHolds(tx, row.stack_id);
  if (isEnd(row.state)) await refreshDependents(tx, row.stack_id);
}

/** Whether who enters the state waits for a worker. */
function waits(state: RunState): boolean {
  return state === 'QUEUED' || state === 'CONFIRMED';
}

/** Appends to the history of a run whose row the caller has locked or just made. `from`: the state that it leaves. */
export async function record(
  tx: Tx,
  row: RunRow,
  words: Pick<RunChange, 'note' | 'username'>,
  worker: string | null,
  from?: RunState,
): Promise<void> {
  const letGo = from !== undefined && isHeld(from) && !isHeld(row.state);
  await tx
    .insertInto('run_transitions')
    .values({
      run_id: row.id,
      number: sql<number>`(select coalesce(max(number), 0) + 1 from run_transitions where run_id = ${row.id})`,
      state: row.state,
      at: row.updated_at,
      note: words.note ?? null,
      username: words.username ?? null,
      worker_id: worker,
      attempt: row.attempt,
      // A claim writes no history of an apply: that it was given to a worker shows here.
      waited:
        row.state === 'APPLYING' && row.waiting_since !== null
          ? sql<number>`(select greatest(0, busy_since - ${row.waiting_since}::bigint) from workers
              where id = ${worker} and run_id = ${row.id})`
          : null,
      held_since: letGo
        ? sql<number>`(select at from run_transitions where run_id = ${row.id} and state in ('READY', 'APPLYING')
            order by number desc limit 1)`
        : null,
    })
    .execute();
}

/** Tells the process that a run has changed; to be called after the transaction. */
export function tell(context: Pick<Context, 'events'>, row: RunRow): void {
  context.events.emit({
    kind: 'run',
    run: row.id,
    stack: row.stack_id,
    pool: row.pool_id,
    state: row.state,
  });
}
