// What executes a run says for itself that it is there, while nobody may speak for the worker that has the run: its worker is
// given the time to come back anew. Only where the run lives in a pod of its own: on a machine it is the launcher's.
import { rhythm } from '../../protocol/limits.js';
import type { RunGrant } from '../access/tokens.js';
import type { Context } from '../context.js';
import { assertReporting } from '../runs/attempts.js';

/**
 * Throws STALE_ATTEMPT once the run is not the worker's any more: a worker that counts as lost does not become one again by
 * this, so a run is never kept by one worker and given to another. `last_contact_at` stays as it is: that is the
 * controller's, and tells who went at once with it.
 */
export async function noteSignOfLife(
  context: Pick<Context, 'db' | 'clock'>,
  grant: Pick<RunGrant, 'run' | 'attempt' | 'worker'>,
): Promise<void> {
  await assertReporting(context, grant, Infinity);
  const now = context.clock.now();
  await context.db
    .updateTable('workers')
    .set({ lost_at: now + rhythm.podLostAfter })
    .where('id', '=', grant.worker)
    .where('run_id', '=', grant.run)
    .where('executor', '=', 'pod')
    .where('connected', '=', false)
    // Whose time is over is about to be removed, or has said that it goes. The row's lock orders this and its removal.
    .where('lost_at', '>', now)
    .execute();
}
