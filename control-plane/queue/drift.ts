// Looks on schedule whether what a stack manages is still as the stack says: a proposed run whose plan should find
// nothing to do. Behind all other runs, and within the pool's limit (queue/assign.ts).
import type { Context, Tx } from '../context.js';
import { tell } from '../runs/change.js';
import { createRun } from '../runs/create.js';
import { lockStack } from '../runs/holds.js';
import { endStates } from '../runs/transitions.js';
import type { RunRow, StackRow } from '../store/schema.js';
import { oneByOne } from './one-by-one.js';

/** Stacks looked at in one go; the rest follows with the next look, a second later. */
const atOnce = 50;

/** Puts a run into the queue for every stack whose time has come. */
export async function scheduleDrift(context: Context): Promise<void> {
  const due = await context.db
    .selectFrom('stacks')
    .select('id')
    .where('drift_next_at', '<=', context.clock.now())
    .orderBy('drift_next_at')
    .limit(atOnce)
    .execute();
  await oneByOne(context, due, async ({ id }) => {
    const made = await context.db.transaction().execute((tx) => lookAt(tx, context, id));
    if (made !== undefined) tell(context, made);
  });
}

async function lookAt(tx: Tx, context: Context, id: string): Promise<RunRow | undefined> {
  const stack = await lockStack(tx, id);
  const now = context.clock.now();
  // Another process was here first, or it was switched off.
  if (stack?.drift_detection == null || (stack.drift_next_at ?? Infinity) > now) return undefined;
  await tx
    .updateTable('stacks')
    .set({ drift_next_at: now + stack.drift_detection.every * 60_000 })
    .where('id', '=', id)
    .execute();
  if (stack.disabled || (await isLooking(tx, stack))) return undefined;
  return createRun(tx, context, stack, { type: 'PROPOSED', drift: true, requestedBy: 'drift detection' });
}

/** The look before is not over: another one would only stand behind it. */
async function isLooking(tx: Tx, stack: StackRow): Promise<boolean> {
  const open = await tx
    .selectFrom('runs')
    .select('id')
    .where('stack_id', '=', stack.id)
    .where('drift', '=', true)
    .where('state', 'not in', endStates)
    .limit(1)
    .executeTakeFirst();
  return open !== undefined;
}
