// Spaces: a tree in which pools and stacks live. A stack may use pools of its own space and of those above.
import { sql } from 'kysely';
import { faultsError, PoolwrightError, type Fault } from '../../protocol/errors.js';
import type { Context, Tx } from '../context.js';
import type { SpaceRow } from '../store/schema.js';
import { audit } from './audit.js';

export interface SpaceFields {
  readonly name: string;
  readonly description: string;
}

/** The action under which the audit log says that a space is gone: for ever, as its id is not given again. */
export const spaceDeleted = 'space.delete';

/** By id; of the given ones only, or all. */
export function listSpaces(
  context: Pick<Context, 'db'>,
  only: readonly string[] | null = null,
): Promise<SpaceRow[]> {
  let query = context.db.selectFrom('spaces').selectAll();
  if (only !== null) query = query.where('id', 'in', ['', ...only]);
  return query.orderBy('id').execute();
}

export function findSpace(context: Pick<Context, 'db'>, id: string): Promise<SpaceRow | undefined> {
  return context.db.selectFrom('spaces').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Throws NOT_FOUND. */
export async function getSpace(context: Pick<Context, 'db'>, id: string): Promise<SpaceRow> {
  const row = await findSpace(context, id);
  if (row === undefined) throw notFound(id);
  return row;
}

/** `id` is a slug; not given, it is made from the name. Throws INVALID_ARGUMENT, NOT_FOUND for the parent, CONFLICT, also for the id of a space that was deleted. */
export async function createSpace(
  context: Context,
  request: SpaceFields & { readonly id?: string; readonly parent: string },
): Promise<SpaceRow> {
  const id = request.id ?? slugOf(request.name);
  check(id, request);
  await getSpace(context, request.parent);
  const now = context.clock.now();
  return context.db.transaction().execute(async (tx) => {
    const row = await tx
      .insertInto('spaces')
      .values({
        id,
        name: request.name.trim(),
        description: request.description,
        parent: request.parent,
        created_at: now,
        updated_at: now,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst();
    if (row === undefined)
      throw new PoolwrightError('CONFLICT', `A space ${id} exists already. Give another id.`);
    await assertNeverUsed(tx, id);
    await audit(tx, context, {
      action: 'space.create',
      type: 'space',
      id,
      space: id,
      before: null,
      after: told(row),
    });
    return row;
  });
}

/** Keys for an earlier space of the id, and those who read its audit log, would have rights in the new one. */
async function assertNeverUsed(tx: Tx, id: string): Promise<void> {
  const deleted = await tx
    .selectFrom('audit_entries')
    .select('id')
    .where('resource_type', '=', 'space')
    .where('resource_id', '=', id)
    .where('action', '=', spaceDeleted)
    .limit(1)
    .executeTakeFirst();
  if (deleted === undefined) return;
  throw new PoolwrightError(
    'CONFLICT',
    `A space ${id} was there before, and API keys may still name it. Give another id.`,
  );
}

/** Throws NOT_FOUND, INVALID_ARGUMENT. */
export async function updateSpace(context: Context, id: string, fields: SpaceFields): Promise<SpaceRow> {
  check(id, fields);
  return context.db.transaction().execute(async (tx) => {
    const before = await locked(tx, id);
    const row = await tx
      .updateTable('spaces')
      .set({ name: fields.name.trim(), description: fields.description, updated_at: context.clock.now() })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await audit(tx, context, {
      action: 'space.update',
      type: 'space',
      id,
      space: id,
      before: told(before),
      after: told(row),
    });
    return row;
  });
}

/** Throws NOT_FOUND; CONFLICT for the root, and while anything is in it. */
export async function deleteSpace(context: Context, id: string): Promise<SpaceRow> {
  if (id === 'root')
    throw new PoolwrightError('CONFLICT', 'The space root holds all others and cannot be deleted.');
  return context.db.transaction().execute(async (tx) => {
    const row = await locked(tx, id);
    const { rows } = await sql<{ what: string }>`
      select 'space ' || id as what from spaces where parent = ${id}
      union all select 'worker pool ' || name from worker_pools where space = ${id} and deleted_at is null
      union all select 'stack ' || id from stacks where space = ${id}
      limit 20`.execute(tx);
    if (rows.length > 0) {
      throw new PoolwrightError(
        'CONFLICT',
        `The space ${id} cannot be deleted while there are things in it: ${rows.map(({ what }) => what).join(', ')}.`,
      );
    }
    // Pools that were deleted keep a place, for the names of their runs.
    await tx.updateTable('worker_pools').set({ space: 'root' }).where('space', '=', id).execute();
    await tx.deleteFrom('spaces').where('id', '=', id).execute();
    await audit(tx, context, {
      action: spaceDeleted,
      type: 'space',
      id,
      space: null,
      before: told(row),
      after: null,
    });
    return row;
  });
}

/** The given spaces and all above them. */
export async function spacesAbove({ db }: Pick<Context, 'db'>, spaces: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with recursive above as (
      select id, parent from spaces where id in (${sql.join(['', ...spaces])})
      union
      select spaces.id, spaces.parent from spaces join above on spaces.id = above.parent
    )
    select id from above`.execute(db);
  return rows.map(({ id }) => id);
}

/**
 * Throws INVALID_ARGUMENT unless a stack of one space may use a pool of another: it has to be the same, or one above
 * it. NOT_FOUND when the stack's space is not there.
 */
export async function assertUsable(
  db: Pick<Context, 'db'>,
  spaces: { readonly stack: string; readonly pool: string },
): Promise<void> {
  await getSpace(db, spaces.stack);
  if ((await spacesAbove(db, [spaces.stack])).includes(spaces.pool)) return;
  throw new PoolwrightError(
    'INVALID_ARGUMENT',
    `A stack of the space ${spaces.stack} cannot use a worker pool of the space ${spaces.pool}: expected one of its own space or of one above it.`,
  );
}

function told({ id, name, description, parent }: SpaceRow): object {
  return { id, name, description, parent };
}

async function locked(tx: Tx, id: string): Promise<SpaceRow> {
  const row = await tx.selectFrom('spaces').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (row === undefined) throw notFound(id);
  return row;
}

function notFound(id: string): PoolwrightError {
  return new PoolwrightError('NOT_FOUND', `There is no space ${id}.`);
}

function check(id: string, { name }: SpaceFields): void {
  const faults: Fault[] = [];
  const { length } = name.trim();
  if (length === 0 || length > 255) faults.push({ path: 'name', reason: 'expected 1 to 255 characters' });
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(id)) {
    faults.push({ path: 'id', reason: `expected letters, digits and hyphens, got ${JSON.stringify(id)}` });
  }
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', `The space ${id}`, faults);
}

function slugOf(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 100);
}
