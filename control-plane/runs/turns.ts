// Fair sharing of a pool's queue between stacks. Each run gets a turn when it enters the queue: a stack's runs take
// turns one after the other, and a stack that comes anew joins at the turn that the pool is at. So a stack with a
// thousand runs waits for everybody else's next run between any two of its own, and the order is fixed by one index.
// The pool comes to the turn of each run that leaves its queue (queue/claim.ts); one that goes before its turn, because
// it is prioritised or was confirmed, moves nothing.
// The rule is that of start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996), with every run as long as another.
import { sql } from 'kysely';
import type { Tx } from '../context.js';

/**
 * Takes the next turn of a stack whose row the transaction holds: the one after its newest run's, but not before the
 * turn that the pool is at. Runs that were canceled do not count against a stack: where none of its runs waits, it
 * joins at the pool's next turn.
 */
export async function takeTurn(tx: Tx, stack: string, pool: string): Promise<number> {
  const { rows } = await sql<{ turn: number }>`
    update stacks set turn = greatest(pool.turn, least(stacks.turn, coalesce((
      select turn from runs where stack_id = ${stack} and worker_id is null and state = 'QUEUED'
        order by priority, turn desc, id desc limit 1
    ), pool.turn)) + 1)
    from (select turn from worker_pools where id = ${pool}) as pool
    where stacks.id = ${stack}
    returning stacks.turn`.execute(tx);
  return rows[0]?.turn ?? 0;
}

/** Gives the waiting runs of a stack turns in another pool, in the order they have. */
export async function moveTurns(tx: Tx, stack: string, pool: string): Promise<void> {
  await sql`
    update runs set pool_id = ${pool}, turn = moved.turn
    from (
      select id, (select turn from worker_pools where id = ${pool}) - 1
        + row_number() over (order by priority desc, turn, id) as turn
      from runs where stack_id = ${stack} and worker_id is null and state = 'QUEUED'
    ) as moved
    where runs.id = moved.id`.execute(tx);
  await sql`
    update stacks set turn = coalesce((select max(turn) from runs
      where stack_id = ${stack} and worker_id is null and state = 'QUEUED'), 0)
    where id = ${stack}`.execute(tx);
}
