// The runs of a pool that are under way or may be next, as the public API lists them. Held runs are not among them:
// those behind another run of their stack, or behind a stack that theirs depends on.
import { sql } from 'kysely';
import type { Context } from '../context.js';
import { positionsOf } from './position.js';
import type { RunRow } from '../store/schema.js';
import {
  searchOneAfterTheOther,
  searchRows,
  type Page,
  type SearchInput,
  type Searchable,
} from '../store/search.js';

export interface SchedulableRun {
  readonly run: RunRow;
  /** 0 while a worker has it, then from 1 to `lastPosition` of queue/place-text.ts. */
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
    // Runs under way first, then the order of the queue: keys that stay while others come and go.
    position: [sql`found.place`, sql`(-found.priority)`, sql`found.turn`, sql`found.queued_at`],
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
  const visible = visibleIn(spaces);
  const underWay = sql<RunRow>`
    select runs.*, 0 as place from runs where pool_id = ${pool} and worker_id is not null and ${visible}`;
  const waiting = sql<RunRow>`
    select runs.*, 1 as place from runs
    where pool_id = ${pool} and worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is null and ${visible}`;
  const page = await (isInOrder(input)
    ? searchOneAfterTheOther(context.db, [underWay, waiting], searchable, input)
    : searchRows(context.db, sql<RunRow>`${underWay} union all ${waiting}`, searchable, input));
  const positions = await positionsOf(
    context,
    pool,
    page.edges.map(({ node }) => node).filter(({ worker_id }) => worker_id === null),
  );
  const edges = page.edges.map(({ cursor, node: run }) => ({
    cursor,
    node: { run, position: positions.get(run.id) ?? 0 },
  }));
  return { ...page, edges };
}

/**
 * The runs of a pool that may not leave its queue yet: behind another run of their stack, or a stack that theirs depends
 * on, or because their stack is locked or disabled. In the order of the queue. Throws as the search above.
 */
export function searchHeldRuns(
  context: Pick<Context, 'db'>,
  pool: string,
  input: Omit<SearchInput, 'orderBy'>,
  spaces: readonly string[] | null,
): Promise<Page<RunRow>> {
  const held = sql<RunRow>`
    select runs.*, 0 as place from runs
    where pool_id = ${pool} and worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is not null
      and ${visibleIn(spaces)}`;
  return searchOneAfterTheOther(context.db, [held], searchable, input);
}

function visibleIn(spaces: readonly string[] | null) {
  return spaces === null
    ? sql`true`
    : sql`exists (select 1 from stacks where stacks.id = runs.stack_id and stacks.space in (${sql.join(['', ...spaces])}))`;
}

/** In the order of the queue: its index gives the rows, and no more of them are read than the page has. */
function isInOrder({ orderBy }: SearchInput): boolean {
  return orderBy == null || (orderBy.field === 'position' && orderBy.direction !== 'DESC');
}
