// A long queue in a moment: copies of a run that waits, without the way through triggers.
import { sql, type Kysely } from 'kysely';
import type { Database } from '../../../control-plane/store/schema.js';

/** Id of the n-th copy. `letter`: the first of the ids of these copies. */
export const copyId = (n: number, letter = 'Z') => `${letter}${String(n).padStart(25, '0')}`;

/** Queues copies of a run, 1 to `count`, each a little younger and a turn later than the one before. */
export async function copyRun(db: Kysely<Database>, run: string, count: number, letter = 'Z'): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`set local statement_timeout = 0`.execute(tx);
    await sql`
      insert into runs select copy.* from runs, generate_series(1, ${sql.lit(count)}) as n,
        jsonb_populate_record(runs, jsonb_build_object(
          'id', ${letter}::text || lpad(n::text, 25, '0'), 'queued_at', queued_at + n, 'turn', turn + n
        )) as copy
      where runs.id = ${run}
      on conflict do nothing`.execute(tx);
  });
}
