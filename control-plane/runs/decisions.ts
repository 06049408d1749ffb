// What people decide about a run: confirm, discard, cancel, stop, prioritise.
import { PoolwrightError } from '../../protocol/errors.js';
import { auditOfStack } from '../access/audit.js';
import type { Addressee, Context, Tx } from '../context.js';
import { addressOf } from '../pools/workers.js';
import type { RunRow } from '../store/schema.js';
import { changeRun, lockRun, tell, type RunChange } from './change.js';
import { refreshHolds } from './holds.js';
import { isEnd, stopWithin } from './transitions.js';

export interface Decision {
  readonly run: string;
  /** Not given: the run may be of any stack. */
  readonly stack?: string;
  readonly username: string;
  readonly note?: string | null;
}

/** A plan that waits is to be applied. Throws CONFLICT unless the run is UNCONFIRMED. */
export function confirmRun(context: Context, decision: Decision): Promise<RunRow> {
  return decide(context, decision, 'confirm', (row) => {
    if (row.state !== 'UNCONFIRMED') throw cannot('confirmed', row, 'only a run that is UNCONFIRMED can be');
    return confirmation(row, decision);
  });
}

/** How a run enters CONFIRMED, by a person or by itself. It keeps its place in the queue from before the plan. */
export function confirmation(
  row: RunRow,
  words: { readonly username: string | null; readonly note?: string | null },
): RunChange {
  return {
    state: 'CONFIRMED',
    username: words.username,
    note: words.note ?? null,
    set: { queued_at: row.created_at },
  };
}

/** The plan is not to be applied. Throws CONFLICT once the apply has begun, and for a run without a plan. */
export function discardRun(context: Context, decision: Decision): Promise<RunRow> {
  return decide(context, decision, 'discard', (row) => {
    if (row.begun || (row.state !== 'UNCONFIRMED' && row.state !== 'CONFIRMED')) {
      throw cannot('discarded', row, 'only a run with a plan that is not being applied can be');
    }
    return leave('DISCARDED', decision);
  });
}

/** The run is not to start. Throws CONFLICT when it has begun or has a plan already. */
export function cancelRun(context: Context, decision: Decision): Promise<RunRow> {
  return decide(context, decision, 'cancel', (row) => {
    if (row.begun || row.stage === 'APPLY') {
      throw cannot('canceled', row, row.begun ? 'stop it instead' : 'discard it instead');
    }
    return leave('CANCELED', decision);
  });
}

/**
 * Ends a run, whatever it does: one that has begun is told to stop and has `stopWithin` to do so, one that has
 * not is ended at once. Throws CONFLICT when it has ended.
 */
export function stopRun(context: Context, decision: Decision): Promise<RunRow> {
  return decide(context, decision, 'stop', (row) => {
    if (row.begun) {
      const now = context.clock.now();
      return {
        deadline: Math.min(row.deadline_at ?? Infinity, now + stopWithin),
        set: {
          stop_requested_at: row.stop_requested_at ?? now,
          stop_note: decision.note ?? `stopped by ${decision.username}`,
        },
      };
    }
    return leave(row.stage === 'APPLY' ? 'DISCARDED' : 'CANCELED', decision);
  });
}

/**
 * Puts a run in front of all that are not prioritised, or back into its turn. Throws CONFLICT when it does not wait
 * for a worker.
 */
export async function prioritizeRun(
  context: Context,
  decision: Decision & { readonly prioritize: boolean },
): Promise<RunRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    const before = await lockOwn(tx, decision);
    const waits = before.worker_id === null && (before.state === 'QUEUED' || before.state === 'CONFIRMED');
    if (!waits) throw cannot('prioritised', before, 'only a run that waits for a worker can be');
    const usual = before.drift ? -1 : 0;
    const changed = await changeRun(tx, context, before, {
      set: { priority: decision.prioritize ? 1 : usual },
    });
    await refreshHolds(tx, before.stack_id);
    await auditDecision(tx, context, decision.prioritize ? 'prioritize' : 'deprioritize', before, changed);
    return changed;
  });
  tell(context, row);
  return row;
}

/** Throws NOT_FOUND, also for a run of another stack than the one that is named. */
async function lockOwn(tx: Tx, { run, stack }: Decision): Promise<RunRow> {
  const row = await lockRun(tx, run);
  if (stack === undefined || row.stack_id === stack) return row;
  throw new PoolwrightError('NOT_FOUND', `The stack ${stack} has no run ${run}.`);
}

function leave(state: 'CANCELED' | 'DISCARDED', { username, note }: Decision): RunChange {
  return { state, username, note: note ?? null, set: { worker_id: null } };
}

async function decide(
  context: Context,
  decision: Decision,
  verb: string,
  choose: (row: RunRow) => RunChange,
): Promise<RunRow> {
  const { after, worker } = await context.db.transaction().execute(async (tx) => {
    const before = await lockOwn(tx, decision);
    if (isEnd(before.state)) throw cannot('changed', before, 'it has ended');
    const after = await changeRun(tx, context, before, choose(before));
    await auditDecision(tx, context, verb, before, after);
    return { after, worker: await addresseeOf(tx, before.worker_id) };
  });
  tell(context, after);
  if (worker !== undefined) {
    const stillHeld = after.worker_id !== null;
    if (!stillHeld || after.stop_requested_at !== null) {
      context.outbox.send(worker, {
        type: 'stop',
        run: after.id,
        attempt: after.attempt,
        kind: stillHeld ? 'stop' : 'stale',
        reason: (after.stop_note ?? decision.note ?? `the run was ended by ${decision.username}`).slice(
          0,
          1024,
        ),
      });
    }
  }
  return after;
}

async function auditDecision(
  tx: Tx,
  context: Context,
  verb: string,
  before: RunRow,
  after: RunRow,
): Promise<void> {
  const told = ({ stack_id: stack, state, priority, stop_note }: RunRow) => ({
    ...{ stack, state, priority },
    ...(stop_note === null ? {} : { note: stop_note }),
  });
  await auditOfStack(tx, context, after.stack_id, {
    action: `run.${verb}`,
    type: 'run',
    id: after.id,
    before: told(before),
    after: told(after),
  });
}

async function addresseeOf(tx: Tx, worker: string | null): Promise<Addressee | undefined> {
  if (worker === null) return undefined;
  const row = await tx
    .selectFrom('workers')
    .select(['id', 'pool_id', 'session', 'line'])
    .where('id', '=', worker)
    .executeTakeFirst();
  return row === undefined ? undefined : addressOf(row);
}

function cannot(what: string, row: RunRow, why: string): PoolwrightError {
  return new PoolwrightError('CONFLICT', `Run ${row.id} is ${row.state} and cannot be ${what}: ${why}.`);
}
