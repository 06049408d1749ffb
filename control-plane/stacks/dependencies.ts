// Which stacks come before which. A run of a stack waits for older runs of the stacks it depends on, and a run that
// changes something is followed by runs of the stacks that depend on its own.
import { sql } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import type { Context, Tx } from '../context.js';
import { auditOfStack } from '../access/audit.js';
import { lockStack, refreshHolds } from '../runs/holds.js';
import { publicPoolId } from '../store/pool-tables.js';
import type { DependencyRow } from '../store/schema.js';
import { stackNotFound } from './stacks.js';

/** Throws NOT_FOUND; CONFLICT when it is there already or the stacks would wait for each other in a ring. */
export async function addDependency(
  context: Context,
  { stack, dependsOn }: { readonly stack: string; readonly dependsOn: string },
): Promise<DependencyRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    // One at a time: two that each make half a ring would not see each other.
    await sql`lock table stack_dependencies in share row exclusive mode`.execute(tx);
    for (const id of [dependsOn, stack]) if ((await lockStack(tx, id)) === undefined) throw stackNotFound(id);
    await assertNoRing(tx, stack, dependsOn);
    const made = await tx
      .insertInto('stack_dependencies')
      .values({
        id: context.ids.next(),
        stack_id: stack,
        depends_on: dependsOn,
        created_at: context.clock.now(),
      })
      .onConflict((conflict) => conflict.columns(['stack_id', 'depends_on']).doNothing())
      .returningAll()
      .executeTakeFirst();
    if (made === undefined) {
      throw new PoolwrightError('CONFLICT', `The stack ${stack} depends on ${dependsOn} already.`);
    }
    await refreshHolds(tx, stack);
    await auditOfStack(tx, context, stack, { ...about(stack, 'add'), before: null, after: { dependsOn } });
    return made;
  });
  context.events.emit({ kind: 'stack', stack });
  return row;
}

/** Throws NOT_FOUND. */
export async function removeDependency(context: Context, id: string): Promise<DependencyRow> {
  const { row, pool } = await context.db.transaction().execute(async (tx) => {
    const row = await tx
      .deleteFrom('stack_dependencies')
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) {
      throw new PoolwrightError('NOT_FOUND', `There is no dependency ${id} between stacks.`);
    }
    const stack = await lockStack(tx, row.stack_id);
    await refreshHolds(tx, row.stack_id);
    const before = { dependsOn: row.depends_on };
    await auditOfStack(tx, context, row.stack_id, { ...about(row.stack_id, 'remove'), before, after: null });
    return { row, pool: stack?.pool_id ?? publicPoolId };
  });
  context.events.emit({ kind: 'stack', stack: row.stack_id });
  context.events.emit({ kind: 'pool', pool });
  return row;
}

function about(stack: string, verb: 'add' | 'remove') {
  return { action: `stack.dependency-${verb}`, type: 'stack', id: stack } as const;
}

export function findDependency(context: Pick<Context, 'db'>, id: string): Promise<DependencyRow | undefined> {
  return context.db.selectFrom('stack_dependencies').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Both ways: what the stack depends on, and what depends on it. */
export async function dependenciesOf(
  context: Pick<Context, 'db'>,
  stack: string,
): Promise<{ readonly up: DependencyRow[]; readonly down: DependencyRow[] }> {
  const rows = await context.db
    .selectFrom('stack_dependencies')
    .selectAll()
    .where((is) => is.or([is('stack_id', '=', stack), is('depends_on', '=', stack)]))
    .orderBy('id')
    .execute();
  return {
    up: rows.filter(({ stack_id }) => stack_id === stack),
    down: rows.filter(({ depends_on }) => depends_on === stack),
  };
}

async function assertNoRing(tx: Tx, stack: string, dependsOn: string): Promise<void> {
  const { rows } = await sql<{ path: string[] }>`
    with recursive above as (
      select ${dependsOn}::text as id, array[${dependsOn}::text] as path
      union all
      select d.depends_on, above.path || d.depends_on
      from stack_dependencies d join above on d.stack_id = above.id
      where not d.depends_on = any(above.path)
    )
    select path from above where id = ${stack} limit 1`.execute(tx);
  const path = rows[0]?.path;
  if (path === undefined) return;
  throw new PoolwrightError(
    'CONFLICT',
    `The stack ${stack} cannot depend on ${dependsOn}, which depends on it: ${path.join(' → ')}.`,
  );
}
