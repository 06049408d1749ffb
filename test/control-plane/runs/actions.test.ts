// What pages say of a run's buttons against what the rules do, in every state, stage and type.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decideOn, runActions, whyNot } from '../../../control-plane/runs/actions.js';
import { isEnd } from '../../../control-plane/runs/transitions.js';
import { PoolwrightError } from '../../../protocol/errors.js';
import { runStates, type RunState } from '../../../protocol/runs.js';
import { makePool, makeRun, makeStack, openRules, type Rules } from '../support/rules.js';

let rules: Rules;
beforeAll(async () => {
  rules = await openRules();
});
afterAll(() => rules.close());

/** Whether a worker has it, and has been told that commands may run. */
function holdOf(state: RunState): { begun: boolean; worker_id: string | null } {
  const begun = ['INITIALIZING', 'PLANNING', 'APPLYING', 'PERFORMING', 'DESTROYING'].includes(state);
  return { begun, worker_id: begun || state === 'READY' || state === 'PREPARING' ? `worker-${state}` : null };
}

describe.each(['TRACKED', 'PROPOSED'] as const)('the buttons of a %s run', (type) => {
  it.each(runStates)('are off exactly where the rules refuse, in %s', async (state) => {
    const stack = await makeStack(rules, await makePool(rules));
    const { id, priority } = await makeRun(rules, stack, { type });
    const stage = ['UNCONFIRMED', 'CONFIRMED', 'APPLYING'].includes(state)
      ? ('APPLY' as const)
      : ('PLAN' as const);
    for (const action of runActions) {
      const row = await rules.context.db
        .updateTable('runs')
        .set({ state, stage, priority, stop_requested_at: null, ...holdOf(state) })
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow();
      const off = whyNot(action, row) !== null;
      const refused = await decideOn(rules.context, action, { stack, run: id, username: 'ada' }).then(
        () => false,
        (error: unknown) => {
          if (error instanceof PoolwrightError && error.code === 'CONFLICT') return true;
          throw error;
        },
      );
      // The rule of stop ends whatever it is; the page offers the word that says what would happen.
      const endsBefore = action === 'stop' && off && !isEnd(state);
      expect([action, refused]).toEqual([action, off && !endsBefore]);
    }
    await rules.context.db.deleteFrom('runs').where('stack_id', '=', stack).execute();
  });
});
