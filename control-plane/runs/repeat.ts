// Runs made from earlier ones: the same again, or a preview for real.
import { PoolwrightError } from '../../protocol/errors.js';
import type { RunType } from '../../protocol/runs.js';
import type { Context } from '../context.js';
import { stackNotFound } from '../stacks/stacks.js';
import type { RunRow } from '../store/schema.js';
import { runNotFound, tell } from './change.js';
import { createRun } from './create.js';
import { lockStack } from './holds.js';
import { assertUploaded, findRun } from './runs.js';
import { isEnd } from './transitions.js';

interface Request {
  readonly stack: string;
  readonly run: string;
  readonly username: string;
}

/** Whether `retryRun` takes it: everything that has ended otherwise than it should. */
export function canRetry({ state }: RunRow): boolean {
  return isEnd(state) && state !== 'FINISHED';
}

/**
 * Runs the same again: commit or uploaded files, command and overrides. The answer is a run of its own, at the end of
 * the queue. Throws NOT_FOUND; CONFLICT unless the run has ended without having FINISHED.
 */
export function retryRun(context: Context, request: Request): Promise<RunRow> {
  return again(context, request, (run) => {
    if (canRetry(run)) return run.type;
    const why =
      run.state === 'FINISHED' ? 'it has done what it should; trigger a new one' : 'it has not ended';
    throw conflict(run, 'retried', why);
  });
}

/**
 * Makes a tracked run of what a proposed one showed, from the same commit or uploaded files. Throws NOT_FOUND;
 * CONFLICT unless the run is a PROPOSED one that has FINISHED.
 */
export function promoteRun(context: Context, request: Request): Promise<RunRow> {
  return again(context, request, (run) => {
    if (run.type !== 'PROPOSED')
      throw conflict(run, 'promoted', `it is ${run.type}; only PROPOSED runs can be`);
    if (run.state !== 'FINISHED') throw conflict(run, 'promoted', 'only a run that has FINISHED can be');
    return 'TRACKED';
  });
}

async function again(
  context: Context,
  { stack: stackId, run: runId, username }: Request,
  typeOf: (run: RunRow) => RunType,
): Promise<RunRow> {
  const before = await findRun(context, runId);
  if (before?.stack_id !== stackId) throw runNotFound(runId);
  const type = typeOf(before);
  const made = await context.db.transaction().execute(async (tx) => {
    const stack = await lockStack(tx, stackId);
    if (stack === undefined) throw stackNotFound(stackId);
    if (before.archive_object !== null) await assertUploaded(tx, stackId, before.archive_object);
    return createRun(tx, context, stack, {
      type,
      branch: before.branch,
      commitSha: before.commit_sha,
      archive: before.archive_object,
      task: before.task,
      skipInitialization: before.skip_initialization,
      title: before.title,
      runtimeConfig: before.runtime_config,
      forceApply: before.force_apply,
      origin: before.id,
      requestedBy: username,
    });
  });
  tell(context, made);
  return made;
}

function conflict(run: RunRow, what: string, why: string): PoolwrightError {
  return new PoolwrightError('CONFLICT', `Run ${run.id} is ${run.state} and cannot be ${what}: ${why}.`);
}
