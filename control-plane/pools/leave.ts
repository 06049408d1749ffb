// Tells the workers of a pool to end.
import type { Context } from '../context.js';

/** No worker that is told to leave is given another run. A worker that does not end is cut off by whoever asked. */
export async function tellPoolToLeave(
  context: Context,
  pool: string,
  words: { readonly immediate: boolean; readonly reason: string },
): Promise<void> {
  const workers = await context.db
    .updateTable('workers')
    .set({ leaving: true })
    .where('pool_id', '=', pool)
    .returning(['id', 'session'])
    .execute();
  for (const { id, session } of workers) {
    context.outbox.send({ pool, worker: id, session }, { type: 'leave', ...words });
  }
}
