// The runs of a pool that are under way or may be next, as the public API lists them. Held runs are not among them:
// those behind another run of their stack, or behind a stack that theirs depends on.
import { sql } from 'kysely';
import type { Context } from '../context.js';
import type { RunRow } from '../store/schema.js';
import { searchRows, type Page, type SearchInput, type Searchable } from '../store/search.js';

export interface SchedulableRun {
  readonly run: RunRow;
  /** 0 while a worker has it, then from 1. */
  readonly position: number;
}

const searchable: Searchable = {
  fields: {
    id: { kind: 'text', is: sql`found.id` },
    stack: { kind: 'text', is: sql`found.stack_id` },
    stackId: { kind: 'text', is: sql`found.stack_id` },
    title: { kind: 'text', is: sql`found.title` },
    type: { kind: 'text', is: sql`found.type` },
    state: { kind: 'text', is: sql`found.state` },
    branch: { kind: 'text', is: sql`coalesce(found.branch, '')` },
    triggeredBy: { kind: 'text', is: sql`found.requested_by` },
    driftDetection: { kind: 'boolean', is: sql`found.drift` },
    prioritized: { kind: 'boolean', is: sql`(found.priority > 0)` },
  },
  text: sql`lower(concat_ws(' ', found.id, found.stack_id, found.title, found.requested_by))`,
  orders: {
    position: [sql`found.position`],
    createdAt: [sql`found.created_at`],
    stack: [sql`found.stack_id`],
    state: [sql`found.state`],
    type: [sql`found.type`],
  },
  usualOrder: { field: 'position', direction: 'ASC' },
  id: sql`found.id`,
};

/** Throws INVALID_ARGUMENT. `spaces`: only runs of stacks in these; null: all. */
export async function searchSchedulableRuns(
  context: Pick<Context, 'db'>,
  pool: string,
  input: SearchInput,
  spaces: readonly string[] | null = null,
): Promise<Page<SchedulableRun>> {
  const visible =
    spaces === null
      ? sql`true`
      : sql`exists (select 1 from stacks where stacks.id = runs.stack_id and stacks.space in (${sql.join(['', ...spaces])}))`;
  const from = sql<RunRow & { position: number }>`
    select * from (
      select runs.*, 0 as position from runs where pool_id = ${pool} and worker_id is not null
      union all
      select runs.*, row_number() over (order by priority desc, turn, queued_at, id)::integer as position from runs
      where pool_id = ${pool} and worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is null
    ) as runs where ${visible}`;
  const page = await searchRows(context.db, from, searchable, input);
  const edges = page.edges.map(({ cursor, node: { position, ...run } }) => ({
    cursor,
    node: { run, position },
  }));
  return { ...page, edges };
}
