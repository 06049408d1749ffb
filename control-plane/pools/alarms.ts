// Alarms: what the control plane has noticed and leaves to a person. Each pool has at most one of a kind at a time.
import type { Context, Tx } from '../context.js';
import type { AlarmRow } from '../store/schema.js';

export type AlarmKind = 'MASS_LOSS';

/** Raises one, unless it is raised already. Answers the one that is open. */
export async function raiseAlarm(
  tx: Tx,
  context: Pick<Context, 'ids' | 'clock' | 'log'>,
  alarm: { readonly pool: string; readonly kind: AlarmKind; readonly message: string },
): Promise<AlarmRow> {
  const open = await openAlarm(tx, alarm.pool, alarm.kind);
  if (open !== undefined) return open;
  context.log.error({ pool: alarm.pool, alarm: alarm.kind }, alarm.message);
  return tx
    .insertInto('alarms')
    .values({
      id: context.ids.next(),
      pool_id: alarm.pool,
      kind: alarm.kind,
      message: alarm.message,
      raised_at: context.clock.now(),
      cleared_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

export function openAlarm(
  db: Pick<Tx, 'selectFrom'>,
  pool: string,
  kind: AlarmKind,
): Promise<AlarmRow | undefined> {
  return db
    .selectFrom('alarms')
    .selectAll()
    .where('pool_id', '=', pool)
    .where('kind', '=', kind)
    .where('cleared_at', 'is', null)
    .executeTakeFirst();
}

export type AlarmOfPool = AlarmRow & { readonly space: string; readonly pool_name: string };

/** With space and name of the pool. Newest first: those that are open, then up to 100 that are over. */
export async function listAlarms(context: Pick<Context, 'db'>): Promise<AlarmOfPool[]> {
  const alarms = context.db
    .selectFrom('alarms')
    .innerJoin('worker_pools', 'worker_pools.id', 'alarms.pool_id')
    .selectAll('alarms')
    .select(['worker_pools.space', 'worker_pools.name as pool_name'])
    .orderBy('alarms.id', 'desc');
  return [
    ...(await alarms.where('cleared_at', 'is', null).execute()),
    ...(await alarms.where('cleared_at', 'is not', null).limit(100).execute()),
  ];
}

/** Of pools in the given spaces; null: of all. */
export async function countOpenAlarms(
  { db }: Pick<Context, 'db'>,
  spaces: readonly string[] | null,
): Promise<number> {
  const { open } = await db
    .selectFrom('alarms')
    .innerJoin('worker_pools', 'worker_pools.id', 'alarms.pool_id')
    .select(({ fn }) => fn.countAll<number>().as('open'))
    .where('cleared_at', 'is', null)
    .$if(spaces !== null, (query) => query.where('worker_pools.space', 'in', ['', ...(spaces ?? [])]))
    .executeTakeFirstOrThrow();
  return open;
}
