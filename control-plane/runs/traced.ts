// What the traces tell of runs: each stay in a state once it is over, and the whole run at its end. Nothing is looked up
// where nobody follows.
import { sql, type Kysely } from 'kysely';
import type { RunState } from '../../protocol/runs.js';
import type { Context, Tx } from '../context.js';
import { afterCommit } from '../store/retrying.js';
import type { Database, RunRow } from '../store/schema.js';
import { isEnd, isHeld } from './transitions.js';

interface Left {
  readonly state: RunState;
  readonly attempt: number;
  readonly worker_id: string | null;
  readonly from: number;
  readonly until: number;
  readonly space: string;
}

/** A run was made, in a transaction that is under way. */
export function traceMade(tx: Tx, { traces }: Pick<Context, 'traces'>, { id }: RunRow): void {
  if (!traces.on) return;
  afterCommit(tx, () => {
    traces.current().concerns(id);
  });
}

/** A run has entered the state that it is in, in a transaction that is under way; the history says so already. */
export async function traceEntered(tx: Tx, context: Pick<Context, 'traces'>, row: RunRow): Promise<void> {
  if (!context.traces.on) return;
  const left = await leftBefore(tx, row);
  afterCommit(tx, () => {
    tellLeft(context, row, left);
  });
}

/** A run was given to a worker, which is committed: as READY, or to be applied, and then it stays CONFIRMED for now. */
export async function traceAssigned(context: Pick<Context, 'traces' | 'db'>, row: RunRow): Promise<void> {
  if (!context.traces.on) return;
  if (row.state === 'READY') tellLeft(context, row, await leftBefore(context.db, row));
  else context.traces.current().concerns(row.id);
}

/** The stay before the one that the row tells of. */
async function leftBefore(db: Kysely<Database>, row: RunRow): Promise<Left | undefined> {
  const { rows } = await sql<Left>`
    select before.state, before.attempt, before.worker_id, before.at as from, entered.at as until, stacks.space
    from run_transitions as entered
    join run_transitions as before on before.run_id = entered.run_id and before.number = entered.number - 1
    join stacks on stacks.id = ${row.stack_id}
    where entered.run_id = ${row.id} and entered.state = ${row.state} and entered.attempt = ${row.attempt}`.execute(
    db,
  );
  return rows[0];
}

function tellLeft({ traces }: Pick<Context, 'traces'>, row: RunRow, left: Left | undefined): void {
  traces.current().concerns(row.id);
  if (left === undefined) return;
  const { state, attempt, worker_id, from, until, space } = left;
  const failure = row.state === 'FAILED' ? (row.failure_code ?? 'INTERNAL') : null;
  const attributes = {
    'poolwright.run.id': row.id,
    'poolwright.run.type': row.type,
    'poolwright.run.drift': row.drift,
    'poolwright.stack.id': row.stack_id,
    'poolwright.space.id': space,
    'poolwright.pool.id': row.pool_id,
  };
  traces.left({
    ...{ run: row.id, state, attempt, from, until, failure },
    attributes: {
      ...attributes,
      'poolwright.run.state': state,
      'poolwright.run.next_state': row.state,
      'poolwright.run.attempt': attempt,
      // Of other states the history names the worker that had it before.
      'poolwright.worker.id': isHeld(state) ? (worker_id ?? undefined) : undefined,
    },
  });
  if (!isEnd(row.state)) return;
  traces.ended({
    ...{ run: row.id, from: row.created_at, until, failure },
    attributes: { ...attributes, 'poolwright.run.state': row.state, 'poolwright.run.attempt': row.attempt },
  });
}
