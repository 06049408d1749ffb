// Puts back into the queue what was handed out, without the way through the API.
import type { Kysely } from 'kysely';
import type { Match } from '../../control-plane/queue/assign.js';
import type { Database } from '../../control-plane/store/schema.js';

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
