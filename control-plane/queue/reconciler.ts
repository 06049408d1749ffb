// Does what only time brings: ends every wait that is over (workers that stay silent, runs past the deadline of their
// state), starts what schedules ask for, and looks for drift.
import { sql } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import { rhythm } from '../../protocol/limits.js';
import type { Context } from '../context.js';
import { onSilentLine } from '../pools/lines.js';
import { addressOf, lastContact, lostAt } from '../pools/workers.js';
import { requeue } from '../runs/attempts.js';
import { changeRun, lockRunIfThere, tell, type RunChange } from '../runs/change.js';
import { transitions } from '../runs/transitions.js';
import type { RunRow } from '../store/schema.js';
import { scheduleDrift } from './drift.js';
import { triggerScheduled } from './scheduled.js';
import { removeLost } from './lost-workers.js';
import { watchGaps } from './gaps.js';
import { oneByOne } from './one-by-one.js';
import { sumUpPending } from './pending.js';
import { allowReturnAfterGap } from './return-time.js';

/** How often to look, in milliseconds. */
const interval = 1000;
/** Runs whose time is over that are dealt with in one look; the rest follows with the next. */
const atOnce = 1000;

/**
 * One look over everything that waits, at the context's clock. Each entry is a change of its own, and one that
 * fails holds up no other. `hears`: what
 * workers say arrives; otherwise their silence says nothing about them. Any number of processes may look at once.
 */
export async function sweep(context: Context, hears = true): Promise<void> {
  if (hears) {
    await noticeSilence(context);
    await removeLost(context);
  }
  await endOverdue(context);
  await triggerScheduled(context);
  await scheduleDrift(context);
  await sumUpPending(context);
}

/** The connection stands but nothing comes: treated like a broken one. */
async function noticeSilence(context: Context): Promise<void> {
  const now = context.clock.now();
  const since = now - rhythm.silence;
  const silent = await context.db
    .updateTable('workers')
    .set({ connected: false, lost_at: lostAt(now), last_contact_at: lastContact })
    .where('connected', '=', true)
    .where('last_contact_at', '<', since)
    .where((where) => onSilentLine(where, since))
    .returning(['id', 'pool_id'])
    .execute();
  await context.db.deleteFrom('worker_lines').where('last_contact_at', '<', since).execute();
  if (silent.length > 0) context.traces.current().did({ 'poolwright.workers.silent': silent.length });
  for (const { id, pool_id } of silent) {
    context.events.emit({ kind: 'worker', pool: pool_id, worker: id, free: false });
  }
}

async function endOverdue(context: Context): Promise<void> {
  const overdue = await context.db
    .selectFrom('runs')
    .select('id')
    .where('deadline_at', '<=', context.clock.now())
    .orderBy('deadline_at')
    .limit(atOnce)
    .execute();
  await oneByOne(context, overdue, ({ id }) => endWait(context, id));
}

async function endWait(context: Context, run: string): Promise<void> {
  const outcome = await context.db.transaction().execute(async (tx) => {
    const before = await lockRunIfThere(tx, run);
    if (before?.deadline_at == null || before.deadline_at > context.clock.now()) return undefined;
    const worker =
      before.worker_id === null
        ? undefined
        : await tx
            .selectFrom('workers')
            .select(['id', 'pool_id', 'session', 'line'])
            .where('id', '=', before.worker_id)
            .executeTakeFirst();
    const after = isUnbegunAssignment(before)
      ? await requeue(tx, context, before, `worker ${before.worker_id ?? ''} did not start it in time`)
      : await changeRun(tx, context, before, overdueChange(before));
    return { before, after, worker };
  });
  if (outcome === undefined) return;
  const { before, after, worker } = outcome;
  tell(context, after);
  if (worker === undefined) return;
  context.outbox.send(addressOf(worker), {
    type: 'stop',
    run,
    attempt: before.attempt,
    kind: 'stale',
    reason: 'the time for this state is over',
  });
}

function isUnbegunAssignment(row: RunRow): boolean {
  return row.worker_id !== null && !row.begun;
}

function overdueChange(row: RunRow): RunChange {
  const set = { worker_id: null, begun: false };
  if (row.stop_requested_at !== null) {
    const note = `${row.stop_note ?? 'stopped'}; the worker did not report the end in time`;
    return { state: 'STOPPED', note, set };
  }
  const { then, because } = transitions[row.state];
  if (then === null || then === 'requeue') {
    throw new PoolwrightError(
      'INTERNAL',
      `Run ${row.id} is ${row.state} without a worker and has a deadline.`,
    );
  }
  if (then !== 'FAILED') return { state: then, note: because, set };
  return {
    state: then,
    note: because,
    set: {
      ...set,
      failure_code: 'RUN_TIMED_OUT',
      failure_message: `The run was ${row.state} for too long: ${because}.`,
    },
  };
}

export interface Reconciler {
  /** Ends after the look under way. */
  close(): Promise<void>;
}

/** Looks again and again. A look that fails is logged; the next one finds the same things. */
export function startReconciler(
  context: Context,
  hears: () => boolean = () => true,
  uptime: () => number = () => performance.now(),
): Reconciler {
  const look = createLook(context, hears, uptime);
  let closed = false;
  let current = Promise.resolve();
  let timer: NodeJS.Timeout;

  function plan(): void {
    timer = setTimeout(() => {
      const start = { name: 'reconcile', quiet: true, root: true };
      current = context.traces
        .span(start, look)
        .catch((error: unknown) => {
          context.log.error(
            { err: error },
            'looking for overdue runs and lost workers failed; it will be repeated',
          );
        })
        .finally(() => {
          if (!closed) plan();
        });
    }, interval);
  }

  plan();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await current;
    },
  };
}

/**
 * One look of many, for a caller that waits `interval` between the end of one and the next. After a gap, in which
 * nobody listened, workers first get time to come back. `uptime`: milliseconds on a clock that nobody sets.
 */
export function createLook(
  context: Context,
  hears: () => boolean,
  uptime: () => number,
): () => Promise<void> {
  const gaps = watchGaps(context.clock, uptime);
  return async () => {
    const gap = gaps.look(interval);
    if (gap !== undefined) {
      await allowReturnAfterGap(context);
      context.log.warn(gap, 'nothing ran for a while or the clock was set: workers have time to come back');
    }
    try {
      await sweep(context, hears());
    } catch (error) {
      // Without its database a control plane hears nothing. Any other fault makes no gap: workers would never be lost.
      if (await answers(context)) gaps.looked();
      throw error;
    }
    gaps.looked();
  };
}

function answers({ db }: Pick<Context, 'db'>): Promise<boolean> {
  return sql`select 1`.execute(db).then(
    () => true,
    () => false,
  );
}
