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
  /** By stack: the first such run of its queue. */
  readonly first: ReadonlyMap<string, Other>;
  /** By run: an older one, not done yet, of a stack that its own depends on. */
  readonly upstream: ReadonlyMap<string, Other & { readonly stack: string; readonly space: string }>;
}

const writes = sql.join(writeTypes);
const ends = sql.join(endStates);

export async function stackFacts(
  { db }: Pick<Context, 'db'>,
  runs: readonly Pick<RunRow, 'id' | 'stack_id'>[],
): Promise<StackFacts> {
  const stackIds = [...new Set(runs.map(({ stack_id }) => stack_id))];
  const these = sql`${stackIds}::text[]`;
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
    >`select wanted.stack, head.id, head.state from unnest(${these}) as wanted (stack),
      lateral (select id, state from runs where stack_id = wanted.stack and type in (${writes}) and worker_id is null
        and state = 'QUEUED' order by priority desc, turn, id limit 1) as head`.execute(db),
    sql<
      Other & { run: string; stack: string; space: string }
    >`select distinct on (waiting.id) waiting.id as run,
        other.id, other.state, other.stack_id as stack, stacks.space
      from runs as waiting
      join stack_dependencies on stack_dependencies.stack_id = waiting.stack_id
      join runs as other on other.stack_id = stack_dependencies.depends_on
      join stacks on stacks.id = other.stack_id
      where waiting.id = any (${runs.map(({ id }) => id)}::text[]) and other.type in (${writes})
        and other.state not in (${ends}) and other.id < waiting.id
      order by waiting.id, other.id`.execute(db),
  ]);
  return {
    stacks: new Map(stacks.map((stack) => [stack.id, stack])),
    active: new Map(active.rows.map((row) => [row.stack, row])),
    first: new Map(first.rows.map((row) => [row.stack, row])),
    upstream: new Map(upstream.rows.map((row) => [row.run, row])),
  };
}
