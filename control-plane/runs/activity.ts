// What happened over time: how long runs waited for a worker, how many workers were busy, and why runs failed. Worked
// out from the histories of runs, so it also tells of the time before anybody looked.
import { sql, type RawBuilder } from 'kysely';
import type { Context } from '../context.js';
import { workStates } from '../../protocol/runs.js';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** Length of what is shown and of one bar, in milliseconds. */
export const spans = {
  '1h': { lasts: hour, step: 2 * minute },
  '24h': { lasts: day, step: 30 * minute },
  '7d': { lasts: 7 * day, step: 4 * hour },
  '30d': { lasts: 30 * day, step: day },
} as const;
export type Span = keyof typeof spans;

export function isSpan(word: string): word is Span {
  return word in spans;
}

export interface Bucket {
  /** Unix milliseconds; it ends where the next one begins. */
  readonly begins: number;
  /** How often a run was given to a worker: to be planned, to be applied, and again where a worker gave it back. */
  readonly assigned: number;
  /** Milliseconds that it had waited at most in half of them, and in 95 of 100; null when there were none. */
  readonly medianWait: number | null;
  readonly longWait: number | null;
  /** Workers with a run, on average. */
  readonly busy: number;
  /** Error code → runs that failed with it. */
  readonly failures: ReadonlyMap<string, number>;
}

export interface Activity {
  readonly step: number;
  readonly buckets: readonly Bucket[];
}

interface Scope {
  /** Not given: of all pools. */
  readonly pool?: string | undefined;
  /** Runs of stacks in these; null: all. */
  readonly spaces: readonly string[] | null;
}

/** Of the time until now, in steps that begin at round times. The last one is not over. */
export async function activity(
  context: Pick<Context, 'db' | 'clock'>,
  span: Span,
  scope: Scope,
): Promise<Activity> {
  const { lasts, step } = spans[span];
  const until = (Math.floor(context.clock.now() / step) + 1) * step;
  const from = until - lasts;
  const range = { from, until, step, of: conditionOf(scope) };
  const [work, failures] = await Promise.all([
    workOf(context, range, context.clock.now()),
    failuresOf(context, range),
  ]);
  const buckets = Array.from({ length: lasts / step }, (_, index): Bucket => {
    const found = work.find(({ bucket }) => bucket === index);
    return {
      begins: from + index * step,
      assigned: found?.assigned ?? 0,
      medianWait: found?.waits?.[0] ?? null,
      longWait: found?.waits?.[1] ?? null,
      busy: found?.busy ?? 0,
      failures: new Map(
        failures.filter(({ bucket }) => bucket === index).map(({ cause, count }) => [cause, count]),
      ),
    };
  });
  return { step, buckets };
}

interface Range {
  readonly from: number;
  readonly until: number;
  readonly step: number;
  /** Which runs; null: all. */
  readonly of: RawBuilder<unknown> | null;
}

type Reading = Pick<Context, 'db'>;

function conditionOf({ pool, spaces }: Scope): RawBuilder<unknown> | null {
  if (pool === undefined && spaces === null) return null;
  const ofPool = pool === undefined ? sql`true` : sql`runs.pool_id = ${pool}`;
  if (spaces === null) return ofPool;
  return sql`${ofPool} and exists (
    select 1 from stacks where stacks.id = runs.stack_id and stacks.space in (${sql.join(['', ...spaces])}))`;
}

/**
 * Each time that a worker had a run: since it was given to it, or the apply began, until the worker has let go, which the
 * history has in one row; and those that have one now. Waits are in the rows of those that were given to a worker: as READY,
 * and for an apply when it began.
 */
async function workOf({ db }: Reading, { from, until, step, of }: Range, now: number) {
  const runs = of === null ? sql`` : sql`join runs on runs.id = run_id`;
  const wanted = of ?? sql`true`;
  const { rows } = await sql<{
    bucket: number;
    busy: number;
    assigned: number;
    waits: readonly [number, number] | null;
  }>`
    with held as (
      select held_since as since, at as until from run_transitions ${runs}
      where held_since is not null and at > ${from} and held_since < ${until} and ${wanted}
      union all
      select began.at, ${now}::bigint from runs, lateral (
        select at, state from run_transitions where run_id = runs.id order by number desc limit 1
      ) as last, lateral (
        select at from run_transitions where run_id = runs.id and state in ('READY', 'APPLYING')
        order by number desc limit 1
      ) as began
      where runs.worker_id is not null and last.state in ('READY', ${sql.join(workStates)}) and ${wanted}
    ), working as (
      select bucket, (sum(least(held.until, ${from}::bigint + (bucket + 1) * ${step}::bigint)
        - greatest(held.since, ${from}::bigint + bucket * ${step}::bigint)) / ${step}::float)::float as busy
      from held, generate_series(greatest(0, (held.since - ${from}::bigint) / ${step}::bigint),
        (least(held.until, ${until}::bigint - 1) - ${from}::bigint) / ${step}::bigint) as bucket
      where held.until > ${from}
      group by bucket
    ), waiting as (
      select (at - ${from}::bigint) / ${step}::bigint as bucket, count(*)::integer as assigned,
        percentile_disc(array[0.5, 0.95]) within group (order by waited) as waits
      from run_transitions ${runs}
      where waited is not null and at >= ${from} and at < ${until} and ${wanted} group by 1
    )
    select bucket::integer, coalesce(busy, 0) as busy, coalesce(assigned, 0) as assigned, to_jsonb(waits) as waits
    from working full join waiting using (bucket)`.execute(db);
  return rows;
}

async function failuresOf({ db }: Reading, { from, until, step, of }: Range) {
  const { rows } = await sql<{ bucket: number; cause: string; count: number }>`
    select ((failed.at - ${from}::bigint) / ${step}::bigint)::integer as bucket,
      coalesce(runs.failure_code, 'INTERNAL') as cause, count(*)::integer as count
    from run_transitions as failed join runs on runs.id = failed.run_id
    where failed.state = 'FAILED' and failed.at >= ${from} and failed.at < ${until} and ${of ?? sql`true`}
    group by 1, 2`.execute(db);
  return rows;
}
