// Why a run waits, in words, until when, and its place in the queue.
import type { Context } from '../context.js';
import { isWrite, transitions } from '../runs/transitions.js';
import type { RunRow } from '../store/schema.js';
import { awayReasons } from './away-reason.js';
import { minuteOf } from './minute.js';
import { limitReason, poolReason } from './pool-reason.js';
import { positionsOf } from './position.js';
import { stackFacts, type StackFacts } from './stack-facts.js';

type Reading = Pick<Context, 'db' | 'clock'>;

/** As `positionsOf`; null for a run that does not wait for a worker, and for one that is held. */
export async function queuePosition(context: Pick<Context, 'db'>, run: RunRow): Promise<number | null> {
  if (!waitsForWorker(run) || run.hold !== null) return null;
  return (await positionsOf(context, run.pool_id, [run])).get(run.id) ?? null;
}

/**
 * A sentence for people, without a full stop; null for a run that has ended, and for one that works and whose worker is
 * in contact. `spaces`: stacks of others are not named; null: all are.
 */
export async function waitReason(
  context: Reading,
  run: RunRow,
  spaces: readonly string[] | null = null,
): Promise<string | null> {
  const reason = await whyItWaits(context, run, spaces);
  const end = endOf(run);
  if (reason === null || end === '' || run.deadline_at === null) return reason;
  return `${reason}; ${end} at ${minuteOf(run.deadline_at)}`;
}

/** What happens at the deadline of a wait: `ends as FAILED`. Empty without one, and for a run that works. */
export function endOf(run: RunRow): string {
  const { state, deadline_at } = run;
  const { then } = transitions[state];
  if (deadline_at === null || then === null) return '';
  if (ownReason(run) === null && !waitsForWorker(run)) return '';
  return then === 'requeue' ? 'goes back to the queue' : `ends as ${then}`;
}

/** The same without the end of the wait. */
export async function whyItWaits(
  context: Reading,
  run: RunRow,
  spaces: readonly string[] | null,
): Promise<string | null> {
  return (await whyTheyWait(context, [run], spaces)).get(run.id) ?? null;
}

/** Run → reason, of those that wait. Takes as many statements for a page of runs as for one. */
export async function whyTheyWait(
  context: Reading,
  runs: readonly RunRow[],
  spaces: readonly string[] | null,
): Promise<ReadonlyMap<string, string>> {
  const waiting = runs.filter(waitsForWorker);
  const facts = waiting.length === 0 ? undefined : await stackFacts(context, waiting);
  const pools = new Map<string, Promise<string>>();
  const limits = new Map<string, Promise<string | null>>();
  const away = await awayReasons(context, runs);
  const reasons = new Map<string, string>();
  for (const run of runs) {
    const reason =
      away.get(run.id) ??
      ownReason(run) ??
      (facts === undefined || !waitsForWorker(run)
        ? null
        : (holdReason(facts, run, spaces) ??
          (run.drift ? await once(limits, run.pool_id, () => limitReason(context, run.pool_id)) : null) ??
          (await once(pools, run.pool_id, () => poolReason(context, run.pool_id)))));
    if (reason !== null) reasons.set(run.id, reason);
  }
  return reasons;
}

function once<T>(known: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  const answer = known.get(key) ?? ask();
  known.set(key, answer);
  return answer;
}

function ownReason(run: RunRow): string | null {
  if (run.state === 'UNCONFIRMED') return 'waits for someone to confirm or discard the plan';
  if (run.state === 'READY') return `assigned to worker ${run.worker_id ?? ''}, which has not answered yet`;
  return null;
}

function waitsForWorker(run: RunRow): boolean {
  return run.worker_id === null && (run.state === 'QUEUED' || run.state === 'CONFIRMED');
}

function holdReason(facts: StackFacts, run: RunRow, spaces: readonly string[] | null): string | null {
  const stack = facts.stacks.get(run.stack_id);
  if (run.hold !== null && stack?.disabled === true) return 'its stack is disabled';
  if (run.state === 'CONFIRMED' || !isWrite(run.type)) return null;
  if (stack?.locked_by != null && stack.locked_by !== run.requested_by) {
    const note = stack.lock_note === null ? '' : `: ${stack.lock_note}`;
    return `its stack is locked by ${stack.locked_by}${note}`;
  }
  // The run of the same stack that is under way, or else the first of its queue when that is another one.
  const first = run.hold === 'STACK' ? facts.first.get(run.stack_id) : undefined;
  const other = facts.active.get(run.stack_id) ?? (first?.id === run.id ? undefined : first);
  if (other !== undefined) return `waits for run ${other.id} of the same stack, which is ${other.state}`;
  const upstream = facts.upstream.get(run.id);
  if (upstream === undefined) return null;
  return spaces !== null && !spaces.includes(upstream.space)
    ? 'waits for a stack that it depends on'
    : `waits for stack ${upstream.stack}, whose run ${upstream.id} is ${upstream.state}`;
}
