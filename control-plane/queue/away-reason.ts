// What is said of a run whose worker is out of contact: since when, and when that ends.
import type { Context } from '../context.js';
import { openAlarm } from '../pools/alarms.js';
import { noticedAt } from '../pools/workers.js';
import type { RunRow } from '../store/schema.js';
import { massLossPatience } from './mass-loss.js';
import { minuteOf } from './minute.js';

/** Run → words without a full stop, `its worker …`; only of those whose worker is out of contact. */
export async function awayReasons(
  { db, clock }: Pick<Context, 'db' | 'clock'>,
  runs: readonly RunRow[],
): Promise<ReadonlyMap<string, string>> {
  const ids = runs.flatMap(({ worker_id }) => worker_id ?? []);
  if (ids.length === 0) return new Map();
  const away = await db
    .selectFrom('workers')
    .select(['id', 'pool_id', 'executor', 'lost_at'])
    .where('id', 'in', ids)
    .where('lost_at', 'is not', null)
    .execute();
  const held = new Map<string, number>();
  for (const pool of new Set(away.map(({ pool_id }) => pool_id))) {
    const alarm = await openAlarm(db, pool, 'MASS_LOSS');
    const until = (alarm?.raised_at ?? -Infinity) + massLossPatience;
    if (until > clock.now()) held.set(pool, until);
  }
  const words = new Map<string, string>();
  for (const { id, pool_id, executor, lost_at } of away) {
    const until = held.get(pool_id);
    const lost = lost_at ?? Infinity;
    words.set(
      id,
      until === undefined
        ? `its worker ${id} has been out of contact since ${minuteOf(noticedAt(executor, lost))}; ` +
            `it counts as lost at ${minuteOf(lost)} unless it comes back`
        : `its worker ${id} is out of contact, as most of its pool; the run is left as it is until ${minuteOf(until)}`,
    );
  }
  return new Map(
    runs.flatMap(({ id, worker_id }) => {
      const said = words.get(worker_id ?? '');
      return said === undefined ? [] : [[id, said] as const];
    }),
  );
}
