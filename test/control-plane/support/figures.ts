// Figures that are kept are those that counting gives.
import { sql, type Kysely } from 'kysely';
import { expect } from 'vitest';
import type { Database } from '../../../control-plane/store/schema.js';

/** Fails where a number of waiting runs, a wait or the time of a run with its worker is not as the rows say. */
export async function expectFiguresToHold(db: Kysely<Database>): Promise<void> {
  const { rows: pending } = await sql`
    select pool_id, stack_id, sum(change)::integer as runs from pending_runs
    group by pool_id, stack_id having sum(change) <> 0 order by 1, 2`.execute(db);
  const { rows: waiting } = await sql`
    select pool_id, stack_id, count(*)::integer as runs from runs
    where worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is null
    group by pool_id, stack_id order by 1, 2`.execute(db);
  expect(pending).toEqual(waiting);

  const held = sql`('READY', 'PREPARING', 'INITIALIZING', 'PLANNING', 'APPLYING', 'PERFORMING', 'DESTROYING')`;
  const { rows: wrong } = await sql`
    select * from (
      select run_id, number, state, at, waited, held_since,
        lag(at) over history as "before",
        case when state = 'READY' then at - lag(at) over history end as "should have waited",
        case when state not in ${held} and lag(state) over history in ${held} then (
          select max(at) from run_transitions as began where began.run_id = each.run_id and began.number < each.number
            and began.state in ('READY', 'APPLYING')
        ) end as "should be held since"
      from run_transitions as each window history as (partition by run_id order by number)
    ) as compared
    where case when state = 'APPLYING' then waited not between 0 and at - "before" else waited is distinct from "should have waited" end or held_since is distinct from "should be held since"`.execute(
    db,
  );
  expect(wrong).toEqual([]);
}
