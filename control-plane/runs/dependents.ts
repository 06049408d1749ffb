// What follows from a run: when it has changed something, runs of the stacks that depend on its stack; when it has
// found drift, a run that puts things right.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Context, Tx } from '../context.js';
import type { RunRow } from '../store/schema.js';
import { createRun } from './create.js';
import { lockStack } from './holds.js';

/**
 * Triggers a tracked run of every stack that depends on the run's, in the transaction in which that run finishes, so
 * that none is forgotten. A stack whose own run waits anyway gets no second one: it will find what is new. One that
 * is disabled or locked is left out. One in another space waits for a confirmation of its own. Answers the runs made; the caller tells of them after the commit.
 */
export async function triggerDependents(tx: Tx, context: Context, run: RunRow): Promise<RunRow[]> {
  if (run.type !== 'TRACKED' || run.stage !== 'APPLY' || run.state !== 'FINISHED') return [];
  const dependents = await tx
    .selectFrom('stack_dependencies')
    .select('stack_id')
    .where('depends_on', '=', run.stack_id)
    .orderBy('stack_id')
    .execute();
  const { space } = await tx
    .selectFrom('stacks')
    .select('space')
    .where('id', '=', run.stack_id)
    .executeTakeFirstOrThrow();
  const made: RunRow[] = [];
  for (const { stack_id } of dependents) {
    const stack = await lockStack(tx, stack_id);
    if (stack === undefined || (await hasWaitingRun(tx, stack_id))) continue;
    try {
      // Whoever asked for it has the right to in the space of their own stack.
      const cascade = run.force_apply === 'CASCADE' && stack.space === space ? 'CASCADE' : null;
      made.push(
        await createRun(tx, context, stack, {
          type: 'TRACKED',
          title: `After stack ${run.stack_id}`,
          forceApply: cascade,
          origin: run.id,
          requestedBy: `stack/${run.stack_id}`,
        }),
      );
    } catch (error) {
      // Refused before anything was written: the run that caused this has still finished.
      if (!(error instanceof PoolwrightError)) throw error;
      context.log.warn(
        { run: run.id, stack: stack_id, code: error.code },
        `no run follows: ${error.message}`,
      );
    }
  }
  return made;
}

/** Where the stack wants it: a tracked run after a look that has found drift, unless one waits already. */
export async function triggerReconciliation(tx: Tx, context: Context, run: RunRow): Promise<RunRow[]> {
  if (!run.drift || run.state !== 'FINISHED' || run.changes?.any !== true) return [];
  const stack = await lockStack(tx, run.stack_id);
  if (stack?.drift_detection?.reconcile !== true || (await hasWaitingRun(tx, stack.id))) return [];
  try {
    const request = { type: 'TRACKED', title: 'Reconcile drift', origin: run.id } as const;
    return [await createRun(tx, context, stack, { ...request, requestedBy: 'drift detection' })];
  } catch (error) {
    if (!(error instanceof PoolwrightError)) throw error;
    context.log.warn({ run: run.id, stack: stack.id, code: error.code }, `no run follows: ${error.message}`);
    return [];
  }
}

async function hasWaitingRun(tx: Tx, stack: string): Promise<boolean> {
  const waiting = await tx
    .selectFrom('runs')
    .select('id')
    .where('stack_id', '=', stack)
    .where('type', '=', 'TRACKED')
    .where('state', '=', 'QUEUED')
    .where('worker_id', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return waiting !== undefined;
}
