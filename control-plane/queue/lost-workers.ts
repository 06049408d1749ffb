// Workers that did not come back in time are removed, and their runs with them. Not so when it would be most of a
// pool at once: then it is more likely a network, a broker or a certificate than that many machines, and every run
// that is failed for it is lost for nothing. The control plane raises an alarm and waits.
import { rhythm } from '../../protocol/limits.js';
import type { Context } from '../context.js';
import { openAlarm, raiseAlarm } from '../pools/alarms.js';
import { endRunOf } from '../pools/loss.js';
import { lastContact, noticedAt } from '../pools/workers.js';
import type { AlarmRow, WorkerRow } from '../store/schema.js';
import { cutBy, judge, massLossPatience, type Missed, type PoolContacts } from './mass-loss.js';
import { oneByOne } from './one-by-one.js';

type Due = Pick<WorkerRow, 'id' | 'pool_id' | 'leaving' | 'executor' | 'lost_at' | 'last_contact_at'>;

/** Removes those whose time is over, or holds and raises the alarm. Each worker is a change of its own. */
export async function removeLost(context: Context): Promise<void> {
  const now = context.clock.now();
  const lost = await context.db
    .selectFrom('workers')
    .select(['id', 'pool_id', 'leaving', 'executor', 'lost_at', lastContact.as('last_contact_at')])
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
    const due = surprising.filter(({ pool_id }) => pool_id === pool);
    await oneByOne(context, await givenUp(context, pool, due), remove);
  });
  await clearAlarms(context);
}

/** Which of a pool's workers whose time is over count as lost now. */
async function givenUp(context: Context, pool: string, due: readonly Due[]): Promise<readonly Due[]> {
  const alarm = await openAlarm(context.db, pool, 'MASS_LOSS');
  // While some of many have come back, the rest is not lost sooner for that.
  if (alarm !== undefined && isPatient(context, alarm)) return [];
  const heldLongEnough = due.filter(
    ({ last_contact_at }) => last_contact_at <= (alarm?.raised_at ?? -Infinity),
  );
  const others = due.filter((worker) => !heldLongEnough.includes(worker));
  if (others.length === 0) return heldLongEnough;
  const contacts = await contactsOf(
    context,
    pool,
    Math.max(...others.map((worker) => cutBy(missed(worker)))),
  );
  const alone: Due[] = [];
  for (const worker of others) {
    const judgement = judge(missed(worker), contacts);
    if (judgement.went === 'together') {
      await raise(context, pool, judgement.workers, contacts.all);
      return heldLongEnough;
    }
    if (judgement.went === 'alone') alone.push(worker);
  }
  return [...heldLongEnough, ...alone];
}

function missed({ executor, lost_at, last_contact_at: last }: Due): Missed {
  return { last, noticed: noticedAt(executor, lost_at ?? Infinity) };
}

/** `since`: whoever was heard of then or later is well, and left out. */
async function contactsOf(context: Context, pool: string, since: number): Promise<PoolContacts> {
  const workers = await context.db
    .selectFrom('workers')
    .select(['lost_at', lastContact.as('last')])
    .where('pool_id', '=', pool)
    .where('leaving', '=', false)
    .where((is) => is.or([is('lost_at', 'is not', null), is(lastContact, '<', since)]))
    .execute();
  const { all } = await context.db
    .selectFrom('workers')
    .select(({ fn }) => fn.countAll<number>().as('all'))
    .where('pool_id', '=', pool)
    .executeTakeFirstOrThrow();
  const of = (isMissed: boolean) =>
    workers.filter(({ lost_at }) => (lost_at !== null) === isMissed).map(({ last }) => last);
  return { missed: of(true), present: of(false), all };
}

function isPatient({ clock }: Pick<Context, 'clock'>, { raised_at }: AlarmRow): boolean {
  return clock.now() < raised_at + massLossPatience;
}

async function raise(context: Context, pool: string, workers: number, all: number): Promise<void> {
  const now = context.clock.now();
  const alarm = await context.db.transaction().execute(async (tx) => {
    // One process raises it: the pool's row orders them.
    await tx.selectFrom('worker_pools').select('id').where('id', '=', pool).forNoKeyUpdate().execute();
    const open = await openAlarm(tx, pool, 'MASS_LOSS');
    if (open !== undefined && isPatient(context, open)) return open;
    // Of others, who went before and whose ten minutes are over.
    if (open !== undefined)
      await tx.updateTable('alarms').set({ cleared_at: now }).where('id', '=', open.id).execute();
    return raiseAlarm(tx, context, {
      pool,
      kind: 'MASS_LOSS',
      message:
        `${String(workers)} of ${String(all)} workers of pool ${pool} are out of contact at once. Their runs are left as they are ` +
        `for ${String(massLossPatience / 60_000)} minutes; look at the network, the broker and the certificates in between.`,
    });
  });
  if (alarm.raised_at !== now) return;
  context.traces.current().did({ 'poolwright.alarm.kind': 'MASS_LOSS' });
  context.events.emit({ kind: 'pool', pool });
}

/**
 * Over when of those who went before it was raised nobody is away whose time is over or soon will be: each has come
 * back or was removed. A run pod that says itself that it is there has much more time.
 */
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
            .where('workers.leaving', '=', false)
            .where('workers.lost_at', '<=', now + rhythm.returnAfterRestart)
            .where(lastContact, '<=', is.ref('alarms.raised_at')),
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
