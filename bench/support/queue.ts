// Fills a queue, and puts back what was handed out, without the way through the API.
import { sql, type Kysely } from 'kysely';
import type { Match } from '../../control-plane/queue/assign.js';
import type { Database } from '../../control-plane/store/schema.js';

/** Queues copies of a run that waits, each a little younger. */
export async function copyRun(db: Kysely<Database>, template: string, count: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`set local statement_timeout = 0`.execute(tx);
    await sql`create temporary table copy on commit drop as select * from runs where id = ${template}`.execute(
      tx,
    );
    const { rows } = await sql<{ column_name: string }>`select column_name from information_schema.columns
      where table_name = 'runs' and table_schema = 'public' and column_name not in ('id', 'queued_at')`.execute(
      tx,
    );
    const rest = sql.join(rows.map(({ column_name }) => sql.ref(column_name)));
    await sql`insert into runs (id, queued_at, ${rest})
      select 'Z' || lpad(n::text, 25, '0'), queued_at + n, ${rest} from copy, generate_series(1, ${sql.lit(count)}) as n
      on conflict do nothing`.execute(tx);
  });
}

/** The run waits again, in the place that `queuedAt` gives it, and its worker is idle. */
export async function putBack(db: Kysely<Database>, { run, worker }: Match, queuedAt: number): Promise<void> {
  await db
    .updateTable('workers')
    .set({ run_id: null, busy_since: null })
    .where('id', '=', worker.id)
    .execute();
  await db
    .updateTable('runs')
    .set({ state: 'QUEUED', worker_id: null, queued_at: queuedAt })
    .where('id', '=', run.id)
    .execute();
}
