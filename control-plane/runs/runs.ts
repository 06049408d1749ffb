// Runs are triggered and looked at here.
import { sql } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import type { RunState, RunType } from '../../protocol/runs.js';
import type { Context, Tx } from '../context.js';
import { stackNotFound } from '../stacks/stacks.js';
import type { RunRow, TransitionRow } from '../store/schema.js';
import { runNotFound, tell } from './change.js';
import { createRun, type RunRequest } from './create.js';
import { lockStack } from './holds.js';

export interface Trigger extends RunRequest {
  readonly stack: string;
}

/** Puts a run into the queue. Throws NOT_FOUND, CONFLICT (stack disabled or locked by another), INVALID_ARGUMENT. */
export async function triggerRun(context: Context, trigger: Trigger): Promise<RunRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    const stack = await lockStack(tx, trigger.stack);
    if (stack === undefined) throw stackNotFound(trigger.stack);
    if (trigger.archive != null) await assertUploaded(tx, trigger.stack, trigger.archive);
    return createRun(tx, context, stack, trigger);
  });
  tell(context, row);
  return row;
}

/** The upload stays until the transaction ends, and then for the run that it makes. Throws NOT_FOUND, CONFLICT. */
export async function assertUploaded(tx: Tx, stack: string, archive: string): Promise<void> {
  const upload = await tx
    .selectFrom('uploads')
    .select('completed_at')
    .where('id', '=', archive)
    .where('stack_id', '=', stack)
    .forKeyShare()
    .executeTakeFirst();
  if (upload === undefined) {
    throw new PoolwrightError('NOT_FOUND', `The stack ${stack} has no uploaded workspace ${archive}.`);
  }
  if (upload.completed_at === null) {
    throw new PoolwrightError(
      'CONFLICT',
      `The workspace ${archive} is not uploaded yet. Upload it to its address first.`,
    );
  }
}

/** Throws NOT_FOUND. */
export async function getRun(context: Pick<Context, 'db'>, run: string): Promise<RunRow> {
  const row = await findRun(context, run);
  if (row === undefined) throw runNotFound(run);
  return row;
}

export function findRun(context: Pick<Context, 'db'>, run: string): Promise<RunRow | undefined> {
  return context.db.selectFrom('runs').selectAll().where('id', '=', run).executeTakeFirst();
}

/** Runs of a list that says nothing else. */
export const runsAtOnce = 50;

export interface RunFilter {
  readonly stack?: string;
  readonly pool?: string;
  readonly types?: readonly RunType[];
  readonly states?: readonly RunState[];
  /** Only runs older than this one. */
  readonly before?: string | null;
  /** Default `runsAtOnce`. */
  readonly limit?: number;
}

/** Newest first. */
export function listRuns(context: Pick<Context, 'db'>, filter: RunFilter): Promise<RunRow[]> {
  let query = context.db.selectFrom('runs').selectAll();
  if (filter.stack !== undefined) query = query.where('stack_id', '=', filter.stack);
  if (filter.pool !== undefined) query = query.where('pool_id', '=', filter.pool);
  if (filter.types !== undefined) query = query.where('type', 'in', filter.types);
  if (filter.states !== undefined) query = query.where('state', 'in', filter.states);
  if (filter.before != null) query = query.where('id', '<', filter.before);
  return query
    .orderBy('id', 'desc')
    .limit(filter.limit ?? runsAtOnce)
    .execute();
}

/** Stack → its newest run, of those that have any. */
export async function newestRuns(
  { db }: Pick<Context, 'db'>,
  stacks: readonly string[],
): Promise<ReadonlyMap<string, RunRow>> {
  const { rows } = await sql<RunRow>`
    select newest.* from unnest(${stacks}::text[]) as wanted (stack),
      lateral (select * from runs where stack_id = wanted.stack order by id desc limit 1) as newest`.execute(
    db,
  );
  return new Map(rows.map((run) => [run.stack_id, run]));
}

/** What a run went through, oldest first. */
export function runHistory(context: Pick<Context, 'db'>, run: string): Promise<TransitionRow[]> {
  return context.db
    .selectFrom('run_transitions')
    .selectAll()
    .where('run_id', '=', run)
    .orderBy('number')
    .execute();
}
