// Applies what a worker reports of its run: states entered and the result. A record counts once, by its number.
import { PoolwrightError } from '../../protocol/errors.js';
import type { RunState } from '../../protocol/runs.js';
import type { ResultRecord, SpoolRecord } from '../../protocol/worker-api.js';
import type { Context, Tx } from '../context.js';
import type { LogStore } from '../store/logs.js';
import type { RunRow } from '../store/schema.js';
import { lockAttempt } from './attempts.js';
import { changeRun, tell, type RunChange } from './change.js';
import { confirmation } from './decisions.js';
import { triggerDependents, triggerReconciliation } from './dependents.js';
import { mayFollow } from './transitions.js';

/**
 * Applies the state and result records among `records`, in order, in one transaction. Records at or below the
 * number applied last are skipped, so a resend changes nothing. Called when the log records before them are
 * durable. Throws STALE_ATTEMPT; CONFLICT for a state that the run cannot enter.
 */
export async function applyRecords(
  context: Context,
  run: string,
  attempt: number,
  worker: string,
  records: readonly SpoolRecord[],
): Promise<void> {
  const telling = records.filter((record) => record.k !== 'log');
  if (telling.length === 0) return;
  const rows = await context.db.transaction().execute(async (tx) => {
    if (await isKnownResult(tx, run, attempt, telling)) return [];
    let current = await lockAttempt(tx, run, attempt, worker);
    for (const record of telling) {
      if (record.n <= current.applied_number) continue;
      const change = record.k === 'state' ? entered(current, record.s) : ended(current, record);
      current = await changeRun(tx, context, current, {
        ...change,
        set: { ...change.set, applied_number: record.n },
      });
    }
    const settled = await confirmAlone(tx, context, current);
    const followers = await triggerDependents(tx, context, settled);
    return [settled, ...followers, ...(await triggerReconciliation(tx, context, settled))];
  });
  for (const row of rows) tell(context, row);
}

/**
 * Applies what is stored of an attempt and does not count yet, as when the control plane was killed between the two.
 * Throws as `applyRecords` does.
 */
export async function applyStored(
  context: Context,
  logs: Pick<LogStore, 'read'>,
  { run, attempt, worker }: { readonly run: string; readonly attempt: number; readonly worker: string },
  { applied_number: applied }: Pick<RunRow, 'applied_number'>,
): Promise<void> {
  const telling: SpoolRecord[] = [];
  for await (const stored of logs.read(run, { attempt, number: applied })) {
    if (stored.attempt === attempt && stored.record.k !== 'log') telling.push(stored.record);
  }
  await applyRecords(context, run, attempt, worker, telling);
}

/** Where the stack or the run itself needs nobody to confirm, the run is on record as unconfirmed first all the same. */
async function confirmAlone(tx: Tx, context: Context, row: RunRow): Promise<RunRow> {
  if (row.state !== 'UNCONFIRMED') return row;
  const stack = await tx
    .selectFrom('stacks')
    .select('autodeploy')
    .where('id', '=', row.stack_id)
    .executeTakeFirstOrThrow();
  if (row.force_apply === null && !stack.autodeploy) return row;
  const note = stack.autodeploy
    ? 'the stack deploys by itself'
    : `${row.requested_by} asked for it to be applied without confirmation`;
  return changeRun(tx, context, row, confirmation(row, { username: null, note }));
}

/** The answer to a result can be lost; then it comes again after the attempt has ended. */
async function isKnownResult(
  tx: Tx,
  run: string,
  attempt: number,
  records: readonly { readonly n: number }[],
): Promise<boolean> {
  const last = Math.max(...records.map(({ n }) => n));
  const row = await tx
    .selectFrom('runs')
    .select(['attempt', 'worker_id', 'applied_number'])
    .where('id', '=', run)
    .executeTakeFirst();
  return row?.attempt === attempt && row.worker_id === null && row.applied_number >= last;
}

function entered(row: RunRow, state: RunState): RunChange {
  // `begin` has set the first working state already; preparing again, for the apply stage, is no state of its own.
  if (state === row.state || state === 'PREPARING') return {};
  if (!row.begun || !mayFollow(row.state, state)) {
    throw new PoolwrightError(
      'CONFLICT',
      `Run ${row.id} is ${row.state}${row.begun ? '' : ' and has not begun'}; its worker reports ${state}, which cannot follow.`,
    );
  }
  // A stop that is under way keeps its deadline, whatever phase the worker gets to meanwhile.
  return row.stop_requested_at === null ? { state } : { state, deadline: row.deadline_at };
}

function ended(row: RunRow, result: ResultRecord): RunChange {
  const set = {
    worker_id: null,
    begun: false,
    ...(result.commit === null ? {} : { commit_sha: result.commit }),
    ...(result.changes === null ? {} : { changes: JSON.stringify(result.changes) }),
    ...(result.workspace === null ? {} : { workspace_object: result.workspace }),
  };
  switch (result.outcome) {
    case 'failed':
      return {
        state: 'FAILED',
        note: result.message,
        set: { ...set, failure_code: result.code ?? 'INTERNAL', failure_message: result.message },
      };
    case 'stopped':
      return stopped(row, result, set);
    case 'finished':
      if (!row.begun) {
        throw new PoolwrightError(
          'CONFLICT',
          `Run ${row.id} has not begun; its worker reports that it finished.`,
        );
      }
      return following(row, finished(row, result, set));
  }
}

/** Throws CONFLICT for an end that the run's state cannot have, as a plan before there was one. */
function following(row: RunRow, change: RunChange): RunChange {
  const { state } = change;
  if (state === undefined || state === row.state || mayFollow(row.state, state)) return change;
  throw new PoolwrightError(
    'CONFLICT',
    `Run ${row.id} is ${row.state}; by what its worker reports it would be ${state}, which cannot follow.`,
  );
}

/** Stopped on request, or because the launcher itself was told to stop at once. */
function stopped(row: RunRow, result: ResultRecord, set: NonNullable<RunChange['set']>): RunChange {
  if (row.stop_requested_at !== null) {
    return { state: 'STOPPED', note: row.stop_note ?? result.message, set };
  }
  return {
    state: 'FAILED',
    note: result.message,
    set: { ...set, failure_code: result.code ?? 'LAUNCHER_STOPPED', failure_message: result.message },
  };
}

function finished(row: RunRow, result: ResultRecord, set: NonNullable<RunChange['set']>): RunChange {
  const hasMore = row.stage === 'PLAN' && row.type === 'TRACKED' && result.changes?.any !== false;
  if (!hasMore) return { state: 'FINISHED', set };
  if (row.stop_requested_at !== null) return { state: 'STOPPED', note: row.stop_note, set };
  if (result.workspace === null) {
    return {
      state: 'FAILED',
      set: {
        ...set,
        failure_code: 'INTERNAL',
        failure_message: 'The worker planned changes but kept no workspace to apply them from.',
      },
    };
  }
  return { state: 'UNCONFIRMED', set: { ...set, stage: 'APPLY' } };
}
