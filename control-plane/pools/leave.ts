// Tells the workers of a pool to end.
import type { Context } from '../context.js';
import { addressOf } from './workers.js';

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
    .returning(['id', 'pool_id', 'session', 'line'])
    .execute();
  for (const worker of workers) context.outbox.send(addressOf(worker), { type: 'leave', ...words });
}
