// Locks and switches of stacks: who may change things now, and whether anything runs at all.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Context, Tx } from '../context.js';
import { holdReads, lockStack, refreshHolds } from '../runs/holds.js';
import type { Updateable } from 'kysely';
import { publicPoolId } from '../store/pool-tables.js';
import type { StackRow } from '../store/schema.js';
import type { StacksTable } from '../store/stack-tables.js';
import { auditStack, stackNotFound } from './stacks.js';

/**
 * Keeps everybody else's runs that change things from starting, until it is unlocked. Whoever holds the lock may say
 * it again, with another note. Throws NOT_FOUND, CONFLICT while another has it.
 */
export function setLock(
  context: Context,
  id: string,
  lock: { readonly by: string; readonly note: string | null },
): Promise<StackRow> {
  return change(context, id, 'lock', (tx, stack) => {
    if (stack.locked_by !== null && stack.locked_by !== lock.by) {
      throw new PoolwrightError(
        'CONFLICT',
        `The stack ${id} is locked by ${stack.locked_by}; unlock it first.`,
      );
    }
    const now = context.clock.now();
    return update(tx, id, { locked_by: lock.by, lock_note: lock.note, locked_at: now, updated_at: now });
  });
}

/** Also of another's lock: who may change the stack may free it. Throws NOT_FOUND, CONFLICT when it is not locked. */
export function releaseLock(context: Context, id: string): Promise<StackRow> {
  return change(context, id, 'unlock', (tx, stack) => {
    if (stack.locked_by === null) throw new PoolwrightError('CONFLICT', `The stack ${id} is not locked.`);
    const updated_at = context.clock.now();
    return update(tx, id, { locked_by: null, lock_note: null, locked_at: null, updated_at });
  });
}

/** A disabled stack takes no new runs, and those that wait do not start. Saying it twice changes nothing. Throws NOT_FOUND. */
export function setDisabled(context: Context, id: string, disabled: boolean): Promise<StackRow> {
  return change(context, id, disabled ? 'disable' : 'enable', async (tx) => {
    const row = await update(tx, id, { disabled, updated_at: context.clock.now() });
    await holdReads(tx, id);
    return row;
  });
}

function update(tx: Tx, id: string, set: Updateable<StacksTable>): Promise<StackRow> {
  return tx.updateTable('stacks').set(set).where('id', '=', id).returningAll().executeTakeFirstOrThrow();
}

async function change(
  context: Context,
  id: string,
  verb: string,
  work: (tx: Tx, stack: StackRow) => Promise<StackRow>,
): Promise<StackRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    const stack = await lockStack(tx, id);
    if (stack === undefined) throw stackNotFound(id);
    const changed = await work(tx, stack);
    await refreshHolds(tx, id);
    await auditStack(tx, context, verb, stack, changed);
    return changed;
  });
  context.events.emit({ kind: 'stack', stack: id });
  context.events.emit({ kind: 'pool', pool: row.pool_id ?? publicPoolId });
  return row;
}
