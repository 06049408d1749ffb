// Workers that did not come back in time are removed, and their runs with them. Not so when it would be most of a
// pool at once: then it is more likely a network, a broker or a certificate than that many machines, and every run
// that is failed for it is lost for nothing. The control plane raises an alarm and waits.
import { rhythm } from '../../protocol/limits.js';
import type { Context } from '../context.js';
import { openAlarm, raiseAlarm } from '../pools/alarms.js';
import { endRunOf } from '../pools/loss.js';
import { lastContact } from '../pools/workers.js';
import { oneByOne } from './one-by-one.js';

/** Fewer workers than this can be gone for reasons of their own. */
const manyAtOnce = 3;
/** How long such workers may stay away before they count as lost after all, in milliseconds. */
export const massLossPatience = 10 * 60 * 1000;

/** Removes those whose time is over, or holds and raises the alarm. Each worker is a change of its own. */
export async function removeLost(context: Context): Promise<void> {
  const now = context.clock.now();
  const lost = await context.db
    .selectFrom('workers')
    .select(['id', 'pool_id', 'leaving', lastContact.as('last_contact_at')])
    .where('lost_at', '<=', now)
    .orderBy('id')
    .execute();
  const span = context.traces.current();
  let removed = 0;
  const remove = async ({ id }: { readonly id: string }) => {
    if (!(await endRunOf(context, id, 'its connection broke and it did not come back in time'))) return;
    removed += 1;
    span.did({ 'poolwright.workers.lost': removed });
  };
  // Whoever was told to leave is expected to go, and a whole pool is told so when it is reset or deleted.
  await oneByOne(
    context,
    lost.filter(({ leaving }) => leaving),
    remove,
  );
  const surprising = lost.filter(({ leaving }) => !leaving);
  const pools = [...new Set(surprising.map(({ pool_id }) => pool_id))].map((pool) => ({ pool }));
  await oneByOne(context, pools, async ({ pool }) => {
    const workers = surprising.filter(({ pool_id }) => pool_id === pool);
    const together = mostTogether(workers.map(({ last_contact_at }) => last_contact_at));
    if (!(await holds(context, pool, together))) await oneByOne(context, workers, remove);
  });
  await clearAlarms(context);
}

/**
 * How many went at once: were heard of for the last time within what it takes to notice that one is silent. Not all whose
 * time is over did: a control plane that starts gives everybody the same time to come back, whenever they went.
 */
function mostTogether(contacts: readonly number[]): number {
  const sorted = contacts.toSorted((left, right) => left - right);
  let most = 0;
  let first = 0;
  for (const [index, contact] of sorted.entries()) {
    while (contact - (sorted[first] ?? contact) > rhythm.silence) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
}

async function holds(context: Context, pool: string, lost: number): Promise<boolean> {
  if (lost < manyAtOnce) return hasOpenAlarm(context, pool);
  const alarm = await context.db.transaction().execute(async (tx) => {
    // One process raises it: the pool's row orders them.
    await tx.selectFrom('worker_pools').select('id').where('id', '=', pool).forNoKeyUpdate().execute();
    const { all } = await tx
      .selectFrom('workers')
      .select(({ fn }) => fn.countAll<number>().as('all'))
      .where('pool_id', '=', pool)
      .executeTakeFirstOrThrow();
    const open = await openAlarm(tx, pool, 'MASS_LOSS');
    if (open !== undefined || lost * 2 <= all) return open;
    return raiseAlarm(tx, context, {
      pool,
      kind: 'MASS_LOSS',
      message:
        `${String(lost)} of ${String(all)} workers of pool ${pool} are out of contact at once. Their runs are left as they are ` +
        `for ${String(massLossPatience / 60_000)} minutes; look at the network, the broker and the certificates in between.`,
    });
  });
  if (alarm?.raised_at === context.clock.now()) {
    context.traces.current().did({ 'poolwright.alarm.kind': 'MASS_LOSS' });
    context.events.emit({ kind: 'pool', pool });
  }
  return alarm !== undefined && context.clock.now() < alarm.raised_at + massLossPatience;
}

/** While some of many have come back, the rest is not lost sooner for that. */
async function hasOpenAlarm(context: Context, pool: string): Promise<boolean> {
  const alarm = await openAlarm(context.db, pool, 'MASS_LOSS');
  return alarm !== undefined && context.clock.now() < alarm.raised_at + massLossPatience;
}

/** Over when nobody of the pool is past its time any more. */
async function clearAlarms(context: Context): Promise<void> {
  const now = context.clock.now();
  const cleared = await context.db
    .updateTable('alarms')
    .set({ cleared_at: now })
    .where('kind', '=', 'MASS_LOSS')
    .where('cleared_at', 'is', null)
    .where((is) =>
      is.not(
        is.exists(
          is
            .selectFrom('workers')
            .select('workers.id')
            .whereRef('workers.pool_id', '=', 'alarms.pool_id')
            .where('workers.lost_at', '<=', now),
        ),
      ),
    )
    .returning(['id', 'pool_id'])
    .execute();
  for (const { pool_id } of cleared) {
    context.log.info({ pool: pool_id }, 'the alarm is over: every worker of the pool is back or gone');
    context.events.emit({ kind: 'pool', pool: pool_id });
  }
}
