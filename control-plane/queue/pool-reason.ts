// Why no worker of a pool takes a run now, in words. The same for all its runs, so it is asked once for a page of them.
import type { Context } from '../context.js';
import { publicPoolId } from '../store/pool-tables.js';
import type { WorkerRow } from '../store/schema.js';
import { minuteOf } from './minute.js';

type Reading = Pick<Context, 'db' | 'clock'>;
type Seen = Pick<WorkerRow, 'connected' | 'leaving' | 'drained' | 'run_id' | 'busy_since' | 'unavailable'>;

/** A sentence without a full stop. */
export async function poolReason(context: Reading, pool: string): Promise<string> {
  const workers = await context.db
    .selectFrom('workers')
    .select(['connected', 'leaving', 'drained', 'run_id', 'busy_since', 'unavailable'])
    .where('pool_id', '=', pool)
    .execute();
  if (workers.length === 0) return emptyReason(context, pool);
  const here = workers.filter(({ connected }) => connected);
  const busy = here.filter(({ run_id }) => run_id !== null);
  const drained = here.filter((worker) => worker.run_id === null && worker.drained).length;
  const others = here.filter((worker) => worker.run_id === null && !worker.drained);
  const leaving = others.filter((worker) => worker.leaving).length;
  const without = others.filter((worker) => !worker.leaving && worker.unavailable !== null);
  const away = workers.length - here.length;
  const counted = [
    [busy.length, `busy${oldest(context, busy)}`],
    [drained, 'drained'],
    [leaving, 'leaving'],
    [without.length, `not able to take one (${without[0]?.unavailable?.replace(/\.$/, '') ?? ''})`],
    [away, 'out of contact'],
  ] as const;
  const unfit = busy.length + drained + leaving + without.length + away;
  if (unfit < workers.length) return 'a worker is idle; it is about to start';
  const total = String(workers.length);
  const parts = counted.filter(([count]) => count > 0);
  return `no idle worker: ${parts.map(([count, word]) => `${String(count)} of ${total} ${word}`).join('; ')}`;
}

function oldest({ clock }: Reading, busy: readonly Seen[]): string {
  const since = busy.flatMap(({ busy_since }) => busy_since ?? []);
  if (since.length === 0) return '';
  const minutes = Math.floor((clock.now() - Math.min(...since)) / 60_000);
  if (minutes < 1) return ', the oldest for less than a minute';
  return minutes < 120
    ? `, the oldest for ${String(minutes)} min`
    : `, the oldest for ${String(Math.floor(minutes / 60))} h`;
}

async function emptyReason({ db }: Reading, id: string): Promise<string> {
  const pool = await db
    .selectFrom('worker_pools')
    .select('workers_gone_at')
    .where('id', '=', id)
    .executeTakeFirst();
  const since = pool?.workers_gone_at ?? null;
  const empty = since === null ? 'has no workers yet' : `has had no workers since ${minuteOf(since)}`;
  return id === publicPoolId
    ? `the public worker pool, where runs of stacks without a pool go, ${empty}`
    : `the worker pool ${empty}`;
}

/** Of runs that look for drift; null while one more may go. */
export async function limitReason({ db }: Reading, pool: string): Promise<string | null> {
  const { limit, active } = await db
    .selectFrom('worker_pools')
    .select((of) => [
      'drift_detection_run_limit as limit',
      of
        .selectFrom('runs')
        .select(({ fn }) => fn.countAll<number>().as('active'))
        .whereRef('runs.pool_id', '=', 'worker_pools.id')
        .where('drift', '=', true)
        .where('worker_id', 'is not', null)
        .as('active'),
    ])
    .where('id', '=', pool)
    .executeTakeFirstOrThrow();
  if (limit === null || (active ?? 0) < limit) return null;
  return limit === 0
    ? 'the worker pool runs no drift detection (limit 0)'
    : `the worker pool's limit of ${String(limit)} for drift detection is reached`;
}
