// Lines that several workers of a pool share: one message is the sign of life of all who have registered on it, and when it
// breaks, all of them are out of contact at once. What each of them holds, and which session counts, is its own.
import type { Expression, ExpressionBuilder, SqlBool } from 'kysely';
import type { Context } from '../context.js';
import type { Database } from '../store/schema.js';
import { lastContact, lostAt } from './workers.js';

export interface LinePlace {
  readonly pool: string;
  readonly line: string;
}

/** For workers: they share no line, or nothing was heard on it since then (Unix milliseconds). */
export function onSilentLine(
  where: ExpressionBuilder<Database, 'workers'>,
  since: number,
): Expression<SqlBool> {
  return where.not(
    where.exists(
      where
        .selectFrom('worker_lines')
        .select('worker_lines.id')
        .whereRef('worker_lines.id', '=', 'workers.line')
        .where('worker_lines.last_contact_at', '>=', since),
    ),
  );
}

/** Workers have registered on it. */
export async function noteLine(context: Context, { pool, line }: LinePlace): Promise<void> {
  const last_contact_at = context.clock.now();
  await context.db
    .insertInto('worker_lines')
    .values({ id: line, pool_id: pool, last_contact_at })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ last_contact_at }))
    .execute();
}

/** The line is heard of. False for one that is not known, or no longer. */
export async function touchLine(context: Context, { pool, line }: LinePlace): Promise<boolean> {
  const known = await context.db
    .updateTable('worker_lines')
    .set({ last_contact_at: context.clock.now() })
    .where('id', '=', line)
    .where('pool_id', '=', pool)
    .returning('id')
    .executeTakeFirst();
  if (known === undefined) return false;
  const back = await context.db
    .updateTable('workers')
    .set({ connected: true, lost_at: null })
    .where('line', '=', line)
    .where('pool_id', '=', pool)
    .where('connected', '=', false)
    .returning('id')
    .execute();
  if (back.length > 0) context.events.emit({ kind: 'pool', pool });
  return true;
}

/** Nobody is on it any more: its workers have some time to come back, on whatever line. */
export async function lineGone(context: Context, { pool, line }: LinePlace): Promise<void> {
  const now = context.clock.now();
  const gone = await context.db.transaction().execute(async (tx) => {
    const workers = await tx
      .updateTable('workers')
      .set({ connected: false, lost_at: lostAt(now), last_contact_at: lastContact })
      .where('line', '=', line)
      .where('pool_id', '=', pool)
      .where('connected', '=', true)
      .returning('id')
      .execute();
    await tx.deleteFrom('worker_lines').where('id', '=', line).where('pool_id', '=', pool).execute();
    return workers;
  });
  if (gone.length === 0) return;
  context.log.info({ pool, line, workers: gone.length }, 'a line that workers share is gone');
  context.events.emit({ kind: 'pool', pool });
}
