// Which waiting runs may not leave the queue yet, and why. Of a stack's runs that change things only the first may,
// when no other is under way, nobody has locked the stack, and every stack it depends on is done. The answer is kept
// in the runs' own rows, so that a queue of a million held runs costs the scheduler nothing.
import { sql } from 'kysely';
import type { Tx } from '../context.js';
import type { StackRow } from '../store/schema.js';
import { endStates, writeTypes } from './transitions.js';

const writes = sql.join(writeTypes);
const ends = sql.join(endStates);

/**
 * Keeps a stack's row from changing until the transaction ends. Whoever changes runs takes this lock before those of
 * the runs, so that two changes never wait for each other.
 */
export function lockStack(tx: Tx, stack: string): Promise<StackRow | undefined> {
  return tx.selectFrom('stacks').selectAll().where('id', '=', stack).forNoKeyUpdate().executeTakeFirst();
}

/**
 * Works out a stack's holds anew, in one statement. To be called, with the stack's row locked, after each change that
 * they follow from.
 */
export async function refreshHolds(tx: Tx, stack: string): Promise<void> {
  const waits = sql`stack_id = ${stack} and worker_id is null and state = 'QUEUED' and type in (${writes})`;
  const first = sql`order by priority desc, turn, id limit 1`;
  await sql`
    with own as (select disabled, locked_by from stacks where id = ${stack}),
    active as (
      select 1 from runs where stack_id = ${stack} and type in (${writes}) and state not in ('QUEUED', ${ends})
    ),
    head as (
      -- Where the stack is locked, whoever holds the lock goes first.
      (select id, requested_by from runs
        where exists (select 1 from own where locked_by is not null) and not exists (select 1 from active)
          and ${waits} and requested_by = (select locked_by from own) ${first})
      union all
      (select id, requested_by from runs where not exists (select 1 from active) and ${waits} ${first})
      limit 1
    ),
    target as (
      select id, 'STACK' as hold from runs
        where ${waits} and (hold is null or hold <> 'STACK') and id not in (select id from head)
      union all
      select head.id, case
        when own.disabled then 'DISABLED'
        when own.locked_by <> head.requested_by then 'LOCKED'
        when exists (
          select 1 from stack_dependencies, lateral (
            select 1 from runs where runs.stack_id = depends_on and type in (${writes})
              and state not in (${ends}) and runs.id < head.id limit 1
          ) as older
          where stack_dependencies.stack_id = ${stack}
        ) then 'DEPENDENCY'
      end from head, own
      union all
      -- Also one that a worker has been given, which may come back.
      select runs.id, case when own.disabled then 'DISABLED' end from runs, own
        where stack_id = ${stack} and type in (${writes}) and state = 'CONFIRMED'
    )
    -- Few runs, found by their ids: as a join it would be planned for as many as the stack has.
    update runs set hold = (select hold from target where target.id = runs.id)
    where id = any (array(select id from target))
      and hold is distinct from (select hold from target where target.id = runs.id)`.execute(tx);
}

/** The same for the stacks that depend on one, when a run of that one ends. */
export async function refreshDependents(tx: Tx, stack: string): Promise<void> {
  const dependents = await tx
    .selectFrom('stack_dependencies')
    .select('stack_id')
    .where('depends_on', '=', stack)
    .orderBy('stack_id')
    .execute();
  for (const { stack_id } of dependents) {
    await lockStack(tx, stack_id);
    await refreshHolds(tx, stack_id);
  }
}

/** Runs that change nothing are held back only where the whole stack is disabled. With the stack's row locked. */
export async function holdReads(tx: Tx, stack: string): Promise<void> {
  await sql`
    update runs set hold = target.hold
    from (select case when disabled then 'DISABLED' end as hold from stacks where id = ${stack}) as target
    where stack_id = ${stack} and worker_id is null and state = 'QUEUED' and type not in (${writes})
      and runs.hold is distinct from target.hold`.execute(tx);
}
