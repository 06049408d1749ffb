// What a person may do with a run, and why not: the pages show it, and a test holds it to what the rules really refuse.
import type { Context } from '../context.js';
import type { RunRow } from '../store/schema.js';
import { cancelRun, confirmRun, discardRun, prioritizeRun, stopRun, type Decision } from './decisions.js';
import { canRetry, promoteRun, retryRun } from './repeat.js';
import { isEnd } from './transitions.js';

export const runActions = [
  'confirm',
  'discard',
  'prioritize',
  'deprioritize',
  'cancel',
  'stop',
  'retry',
  'promote',
] as const;
export type RunAction = (typeof runActions)[number];

export function isRunAction(word: string): word is RunAction {
  return (runActions as readonly string[]).includes(word);
}

/** Does it. The answer is the run itself, or the new one that a retry or promotion makes. Throws as the rules do. */
export function decideOn(
  context: Context,
  action: RunAction,
  decision: Decision & { readonly stack: string },
): Promise<RunRow> {
  switch (action) {
    case 'confirm':
      return confirmRun(context, decision);
    case 'discard':
      return discardRun(context, decision);
    case 'cancel':
      return cancelRun(context, decision);
    case 'stop':
      return stopRun(context, decision);
    case 'prioritize':
      return prioritizeRun(context, { ...decision, prioritize: true });
    case 'deprioritize':
      return prioritizeRun(context, { ...decision, prioritize: false });
    case 'retry':
      return retryRun(context, decision);
    case 'promote':
      return promoteRun(context, decision);
  }
}

/** Null when it may be done now; otherwise why not, as a sentence without a full stop. */
export function whyNot(action: RunAction, run: RunRow): string | null {
  const ended = isEnd(run.state) ? `it has ended as ${run.state}` : null;
  switch (action) {
    case 'confirm':
      if (run.state === 'UNCONFIRMED') return null;
      return ended ?? (run.stage === 'APPLY' ? 'its plan is confirmed already' : withoutPlan(run));
    case 'discard':
      if (ended !== null) return ended;
      if (run.begun && run.stage === 'APPLY') return 'its plan is being applied; stop it instead';
      return run.state === 'UNCONFIRMED' || run.state === 'CONFIRMED' ? null : withoutPlan(run);
    case 'cancel':
      if (ended !== null) return ended;
      if (run.stage === 'APPLY') return 'it has a plan; discard it instead';
      return run.begun ? 'it has begun; stop it instead' : null;
    case 'stop':
      if (ended !== null) return ended;
      if (run.stop_requested_at !== null) return 'it was told to stop and is about to end';
      return run.begun ? null : 'it has not begun; cancel or discard it instead';
    case 'prioritize':
    case 'deprioritize':
      return ended ?? (waits(run) ? null : 'only a run that waits for a worker has a place in the queue');
    case 'retry':
      if (canRetry(run)) return null;
      return ended === null ? 'it has not ended' : 'it has done what it should; trigger a new run instead';
    case 'promote':
      if (run.type !== 'PROPOSED') return `it is ${run.type}; only a PROPOSED run can become a TRACKED one`;
      return run.state === 'FINISHED' ? null : 'only a run that has FINISHED shows what would be applied';
  }
}

/** Those that make sense for a run of its kind, in the order in which they are shown. */
export function actionsFor(run: RunRow): readonly RunAction[] {
  return runActions.filter((action) => {
    if (action === 'prioritize') return run.priority <= 0;
    if (action === 'deprioritize') return run.priority > 0;
    return true;
  });
}

function waits({ worker_id, state }: RunRow): boolean {
  return worker_id === null && (state === 'QUEUED' || state === 'CONFIRMED');
}

function withoutPlan({ type }: RunRow): string {
  return type === 'TRACKED'
    ? 'it has no plan yet'
    : `it is ${type}; only the plan of a TRACKED run is confirmed or discarded`;
}
