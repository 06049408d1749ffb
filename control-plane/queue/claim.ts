// A worker takes a run: one statement, so that it is one way to the database and back, in one transaction of its own.
// What changeRun (runs/change.ts) does for every other change of a run is in it: deadline, history, the pool's turn.
import type { Kysely } from 'kysely';
import { deadlineOf, endStates, writeTypes } from '../runs/transitions.js';
import { prepared } from '../store/prepared.js';
import type { Database, RunRow } from '../store/schema.js';

/**
 * Which runs that look for drift may go, see queue/drift.ts. `unlimited`: those of pools without a limit; where the
 * first of the queue is one of another pool, nothing is claimed. `all`, `none`: the limit was looked at.
 */
export type DriftRuns = 'unlimited' | 'all' | 'none';

export interface Claim {
  /** Whether there was a free worker, and a run that may go; a run of a limited kind is not claimed all the same. */
  readonly found: boolean;
  /** As it is now; undefined when nothing was claimed. */
  readonly run: RunRow | undefined;
  /** Of the worker that has it now. */
  readonly session: string;
  readonly line: string | null;
}

interface Row {
  readonly found: boolean;
  readonly run: RunRow | null;
  readonly session: string | null;
  readonly line: string | null;
}

/**
 * Hands the first run of the pool's queue to the worker that has been idle longest. The worker's row is locked first,
 * as when it is drained: whichever comes first, the other sees it. Rows that another process holds are passed over.
 * Throws what the database answers when two took runs of one stack: to be done again.
 */
export async function claim(
  db: Kysely<Database>,
  pool: string,
  now: number,
  drift: DriftRuns,
): Promise<Claim> {
  const [row] = await statement(db, pool, now, deadlineOf('READY', now), drift !== 'none', drift === 'all');
  const { found = false, run, session, line } = row ?? {};
  return { found, run: run ?? undefined, session: session ?? '', line: line ?? null };
}

const writes = quoted(writeTypes);
const atRest = quoted(['QUEUED', ...endStates]);

/** Parameters: pool, now, deadline, whether runs that look for drift count, whether those of limited pools may go. */
const statement = prepared<Row, readonly [string, number, number | null, boolean, boolean]>(
  'claim',
  `
  with worker as materialized (
    select id, session, line from workers
    where pool_id = $1 and connected and not leaving and not drained and unavailable is null and run_id is null
    order by available_at, id
    limit 1 for update skip locked
  ),
  -- Priority, then turn, then age. What is held stays, see runs/holds.ts; that write runs of one stack leave the
  -- queue one at a time is checked again here, and once more by the index runs_one_write_per_stack.
  head as materialized (
    select * from runs
    where exists (select from worker)
      and pool_id = $1 and worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is null
      and ($4 or not drift)
      and (state = 'CONFIRMED' or type not in (${writes}) or (
        select other.id from runs as other
        where other.stack_id = runs.stack_id and other.type in (${writes}) and other.state not in (${atRest})
        limit 1
      ) is null)
    order by -priority, turn, queued_at, id
    limit 1 for update skip locked
  ),
  next as materialized (
    select * from head
    where not drift or $5 or (select drift_detection_run_limit from worker_pools where id = $1) is null
  ),
  assigned as (
    -- For the apply stage the state stays CONFIRMED until it begins; the wait for the worker has a deadline all the same.
    update runs set
      state = case when runs.stage = 'APPLY' then runs.state else 'READY' end,
      deadline_at = $3, updated_at = $2, worker_id = worker.id, attempt = runs.attempt + 1, applied_number = 0
    from next, worker where runs.id = next.id
    returning runs.*
  ),
  busy as (
    update workers set run_id = next.id, busy_since = $2 from next, worker where workers.id = worker.id
  ),
  history as (
    insert into run_transitions (run_id, number, state, at, worker_id, attempt, waited)
    select id, coalesce(last.number, 0) + 1, state, updated_at, worker_id, attempt, greatest(0, updated_at - last.at)
    from assigned left join lateral (
      select number, at from run_transitions where run_id = assigned.id order by number desc limit 1
    ) as last on true
    where state = 'READY'
  ),
  -- The pool has come to this turn, see runs/turns.ts. Where another process is at its row, one of the next runs says so.
  place as materialized (
    select worker_pools.id, next.turn from worker_pools, next
    where worker_pools.id = $1 and worker_pools.turn < next.turn and next.priority <= 0 and next.state = 'QUEUED'
    for no key update of worker_pools skip locked
  ),
  advanced as (
    update worker_pools set turn = place.turn from place where worker_pools.id = place.id
  )
  select exists (select from head) as found,
    (select to_jsonb(assigned) from assigned) as run,
    (select session from worker) as session,
    (select line from worker) as line`,
);

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(', ');
}
