// The place of runs in their queue, counted along the queue's index.
import { sql } from 'kysely';
import type { Context } from '../context.js';
import type { RunRow } from '../store/schema.js';

/** Places are counted so far: who stands further back is told this one, as counting a million takes too long. */
export const lastPosition = 10_001;

/** What the queue is ordered by, as the index runs_queue has it. */
export type QueueKey = Pick<RunRow, 'id' | 'pool_id' | 'priority' | 'turn' | 'queued_at'>;

/**
 * Run → place, 1 for the one that is next and `lastPosition` for all from there on. All are of one pool and wait for a
 * worker, in the order of the queue. What is between two of them is counted once.
 */
export async function positionsOf(
  { db }: Pick<Context, 'db'>,
  runs: readonly QueueKey[],
): Promise<ReadonlyMap<string, number>> {
  const pool = runs[0]?.pool_id;
  if (pool === undefined) return new Map();
  const keys = runs.map(({ id, priority, turn, queued_at }) => ({ id, before: -priority, turn, queued_at }));
  const { rows } = await sql<{ id: string; gap: number }>`
    with given as (
      select *, lag(id) over line as prior, lag(before) over line as prior_before, lag(turn) over line as prior_turn,
        lag(queued_at) over line as prior_queued_at
      from jsonb_to_recordset(${JSON.stringify(keys)}::jsonb) as given (id text, before integer, turn bigint, queued_at bigint)
      window line as (order by before, turn, queued_at, id)
    )
    select given.id, (select count(*)::integer from (
      select from runs
      where pool_id = ${pool} and worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is null
        and (-priority, runs.turn, runs.queued_at, runs.id) < (given.before, given.turn, given.queued_at, given.id)
        and (-priority, runs.turn, runs.queued_at, runs.id) >= (
          coalesce(given.prior_before, -2147483648), coalesce(given.prior_turn, 0), coalesce(given.prior_queued_at, 0),
          coalesce(given.prior, '')
        )
      limit ${sql.lit(lastPosition - 1)}
    ) as between_them) as gap
    from given order by before, turn, queued_at, id`.execute(db);
  const positions = new Map<string, number>();
  let position = 1;
  for (const { id, gap } of rows) {
    position = Math.min(lastPosition, position + gap);
    positions.set(id, position);
  }
  return positions;
}
