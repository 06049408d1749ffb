// Stacks: what to run, with which tool, in which pool.
import { PoolwrightError } from '../../protocol/errors.js';
import { audit } from '../access/audit.js';
import type { Context, Tx } from '../context.js';
import { lockStack } from '../runs/holds.js';
import { endStates } from '../runs/transitions.js';
import { moveTurns } from '../runs/turns.js';
import { publicPoolId } from '../store/pool-tables.js';
import type { StackRow } from '../store/schema.js';
import {
  checkFields,
  columnsOf,
  defaultFields,
  fieldsOf,
  nextLook,
  withoutUndefined,
  type StackFields,
} from './fields.js';

/**
 * `id` is a slug; not given, it is made from the name. What is not given has its default: tool opentofu, branch
 * main, space root. Throws INVALID_ARGUMENT with all faults, NOT_FOUND for the pool, CONFLICT for a taken id.
 */
export async function createStack(
  context: Context,
  request: Partial<StackFields> & { readonly id?: string; readonly name: string },
): Promise<StackRow> {
  const id = request.id ?? slugOf(request.name);
  const fields = { ...defaultFields, ...withoutUndefined(request) };
  await checkFields(context, id, fields, undefined);
  const now = context.clock.now();
  await context.db.transaction().execute(async (tx) => {
    const made = await tx
      .insertInto('stacks')
      .values({
        id,
        ...columnsOf(fields),
        drift_next_at: nextLook(fields.driftDetection, now),
        disabled: false,
        locked_by: null,
        created_at: now,
        updated_at: now,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst();
    if (made === undefined) {
      throw new PoolwrightError(
        'CONFLICT',
        `A stack ${id} exists already. Choose another name or give another id.`,
      );
    }
    await auditStack(tx, context, 'create', null, made);
  });
  const row = await getStack(context, id);
  context.events.emit({ kind: 'stack', stack: id });
  return row;
}

/** What is not given stays. Runs in the queue go to the stack's new pool. Throws as createStack. */
export async function updateStack(
  context: Context,
  id: string,
  request: Partial<StackFields>,
): Promise<StackRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    // Read once it is locked: what somebody else has just written stays unless it is given here.
    const before = await lockStack(tx, id);
    if (before === undefined) throw stackNotFound(id);
    const fields = { ...fieldsOf(before), ...withoutUndefined(request) };
    await checkFields({ db: tx }, id, fields, before);
    if (fields.poolId !== before.pool_id) await moveTurns(tx, id, fields.poolId ?? publicPoolId);
    const changed = await tx
      .updateTable('stacks')
      .set({
        ...columnsOf(fields),
        ...(request.driftDetection === undefined
          ? {}
          : { drift_next_at: nextLook(fields.driftDetection, context.clock.now()) }),
        updated_at: context.clock.now(),
      })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await auditStack(tx, context, 'update', before, changed);
    return changed;
  });
  context.events.emit({ kind: 'stack', stack: id });
  context.events.emit({ kind: 'pool', pool: row.pool_id ?? publicPoolId });
  return row;
}

/** Removes a stack with its runs. What it manages stays as it is. Throws NOT_FOUND, CONFLICT while a run is open. */
export async function deleteStack(context: Context, id: string): Promise<StackRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    const stack = await tx
      .selectFrom('stacks')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (stack === undefined) throw stackNotFound(id);
    const open = await tx
      .selectFrom('runs')
      .select(['id', 'state'])
      .where('stack_id', '=', id)
      .where('state', 'not in', endStates)
      .executeTakeFirst();
    if (open !== undefined) {
      throw new PoolwrightError(
        'CONFLICT',
        `The stack ${id} cannot be deleted while its run ${open.id} is ${open.state}. End the run first.`,
      );
    }
    await tx.deleteFrom('stacks').where('id', '=', id).execute();
    await auditStack(tx, context, 'delete', stack, null);
    return stack;
  });
  context.events.emit({ kind: 'stack', stack: id });
  return row;
}

/** Puts a change of a stack on record; what is not told of it is in its own entries (environment, runs). */
export async function auditStack(
  tx: Tx,
  context: Context,
  verb: string,
  before: StackRow | null,
  after: StackRow | null,
): Promise<void> {
  const { id = '', space = null } = after ?? before ?? {};
  const action = `stack.${verb}`;
  await audit(tx, context, { action, type: 'stack', id, space, before: told(before), after: told(after) });
}

function told(row: StackRow | null): object | null {
  if (row === null) return null;
  return { ...fieldsOf(row), disabled: row.disabled, lockedBy: row.locked_by, lockNote: row.lock_note };
}

export function findStack(context: Pick<Context, 'db'>, id: string): Promise<StackRow | undefined> {
  return context.db.selectFrom('stacks').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Throws NOT_FOUND. */
export async function getStack(context: Pick<Context, 'db'>, id: string): Promise<StackRow> {
  const stack = await findStack(context, id);
  if (stack === undefined) throw stackNotFound(id);
  return stack;
}

/** By id; all, or those of one pool (for the public one: those without a pool). */
export function listStacks(
  context: Pick<Context, 'db'>,
  filter: { readonly pool?: string } = {},
): Promise<StackRow[]> {
  let query = context.db.selectFrom('stacks').selectAll();
  if (filter.pool === publicPoolId) query = query.where('pool_id', 'is', null);
  else if (filter.pool !== undefined) query = query.where('pool_id', '=', filter.pool);
  return query.orderBy('id').execute();
}

export function stackNotFound(id: string): PoolwrightError {
  return new PoolwrightError('NOT_FOUND', `There is no stack ${id}.`);
}

function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 100);
}
