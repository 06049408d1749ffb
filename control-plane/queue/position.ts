// The place of runs in their queue, counted along the queue's index.
import { sql } from 'kysely';
import type { Context } from '../context.js';
import type { RunRow } from '../store/schema.js';
import { lastPosition } from './place-text.js';

/** Run → place, 1 for the one that is next, of runs of one pool that wait for a worker. */
export async function positionsOf(
  { db }: Pick<Context, 'db'>,
  pool: string,
  runs: readonly Pick<RunRow, 'id'>[],
): Promise<ReadonlyMap<string, number>> {
  const positions = new Map(runs.map(({ id }) => [id, lastPosition]));
  if (runs.length === 0) return positions;
  const { rows } = await sql<{ id: string; place: number }>`
    select id, place from (
      select id, row_number() over (order by -priority, turn, queued_at, id)::integer as place from (
        select id, priority, turn, queued_at from runs
        where pool_id = ${pool} and worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is null
        order by -priority, turn, queued_at, id limit ${sql.lit(lastPosition - 1)}
      ) as head
    ) as placed where id = any (${runs.map(({ id }) => id)}::text[])`.execute(db);
  for (const { id, place } of rows) positions.set(id, place);
  return positions;
}
