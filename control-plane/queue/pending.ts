// How many runs of a pool could start if a worker were idle. The number is kept, not counted: triggers of the table of runs
// note each change of it in a row of its own (store/migrations/figures.ts), and the sum is the number.
import { sql } from 'kysely';
import type { Context } from '../context.js';

/** Rows that may stand beside those that there must be, before they are summed up. */
const slack = 100;
/** Rows that are summed up at a time. */
const atOnce = 10_000;

/** `spaces`: of stacks in these only; null: of all. */
export async function countPending(
  { db }: Pick<Context, 'db'>,
  pool: string,
  spaces: readonly string[] | null,
): Promise<number> {
  const seen =
    spaces === null
      ? sql`true`
      : sql`stack_id in (select id from stacks where space in (${sql.join(['', ...spaces])}))`;
  const { rows } = await sql<{ pending: number }>`
    select coalesce(sum(change), 0)::integer as pending from pending_runs
    where pool_id = ${pool} and ${seen}`.execute(db);
  return rows[0]?.pending ?? 0;
}

/**
 * Puts one row in the place of many, where there are more than there must be: one for each stack with runs that wait.
 * Whoever reads sees those of before or the one, never both. Rows that another process is at are passed over.
 */
export async function sumUpPending({ db }: Pick<Context, 'db'>): Promise<void> {
  const { rows } = await sql<{ entries: number; stacks: number }>`
    select count(*)::integer as entries, count(distinct (pool_id, stack_id))::integer as stacks
    from pending_runs`.execute(db);
  const { entries = 0, stacks = 0 } = rows[0] ?? {};
  if (entries <= 2 * stacks + slack) return;
  await sql`
    with old as (
      delete from pending_runs
      where ctid = any (array(select ctid from pending_runs limit ${sql.lit(atOnce)} for update skip locked))
      returning pool_id, stack_id, change
    )
    insert into pending_runs (pool_id, stack_id, change)
    select pool_id, stack_id, sum(change) from old group by pool_id, stack_id having sum(change) <> 0`.execute(
    db,
  );
}
