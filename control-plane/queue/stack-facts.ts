// What holds runs back at their own stack, looked up for a page of runs with one statement a question.
import { sql } from 'kysely';
import type { Context } from '../context.js';
import { endStates, writeTypes } from '../runs/transitions.js';
import type { RunRow, StackRow } from '../store/schema.js';

type Other = Pick<RunRow, 'id' | 'state'>;

export interface StackFacts {
  /** By stack. */
  readonly stacks: ReadonlyMap<string, Pick<StackRow, 'disabled' | 'locked_by' | 'lock_note'>>;
  /** By stack: its run that changes things and is under way. */
  readonly active: ReadonlyMap<string, Other>;
  /** By stack, of those whose queue holds one of the runs: the first such run of that queue. */
  readonly first: ReadonlyMap<string, Other>;
  /** By run: an older one, not done yet, of a stack that its own depends on. */
  readonly upstream: ReadonlyMap<string, Other & { readonly stack: string; readonly space: string }>;
}

const writes = sql.join(writeTypes);
const ends = sql.join(endStates);

export async function stackFacts(
  { db }: Pick<Context, 'db'>,
  runs: readonly Pick<RunRow, 'id' | 'stack_id' | 'hold'>[],
): Promise<StackFacts> {
  const stackIds = [...new Set(runs.map(({ stack_id }) => stack_id))];
  const these = sql`${stackIds}::text[]`;
  // Asked for the others it would read all their proposed runs to find none.
  const queues = [...new Set(runs.filter(({ hold }) => hold === 'STACK').map(({ stack_id }) => stack_id))];
  const [stacks, active, first, upstream] = await Promise.all([
    db
      .selectFrom('stacks')
      .select(['id', 'disabled', 'locked_by', 'lock_note'])
      .where('id', 'in', ['', ...stackIds])
      .execute(),
    sql<Other & { stack: string }>`select stack_id as stack, id, state from runs
      where stack_id = any (${these}) and type in (${writes}) and state not in ('QUEUED', ${ends})`.execute(
      db,
    ),
    sql<
      Other & { stack: string }
    >`select wanted.stack, head.id, head.state from unnest(${queues}::text[]) as wanted (stack),
      lateral (select id, state from runs where stack_id = wanted.stack and type in (${writes}) and worker_id is null
        and state = 'QUEUED' order by priority desc, turn, id limit 1) as head`.execute(db),
    sql<
      Other & { run: string; stack: string; space: string }
    >`select distinct on (waiting.id) waiting.id as run,
        older.id, older.state, stacks.id as stack, stacks.space
      from runs as waiting
      join stack_dependencies on stack_dependencies.stack_id = waiting.stack_id
      join stacks on stacks.id = stack_dependencies.depends_on,
      -- The first of each by its index: as a join it would be planned for as many as all stacks have.
      lateral (select id, state from runs where runs.stack_id = stacks.id and type in (${writes})
        and state not in (${ends}) and runs.id < waiting.id order by runs.id limit 1) as older
      where waiting.id = any (${runs.map(({ id }) => id)}::text[])
      order by waiting.id, older.id`.execute(db),
  ]);
  return {
    stacks: new Map(stacks.map((stack) => [stack.id, stack])),
    active: new Map(active.rows.map((row) => [row.stack, row])),
    first: new Map(first.rows.map((row) => [row.stack, row])),
    upstream: new Map(upstream.rows.map((row) => [row.run, row])),
  };
}
