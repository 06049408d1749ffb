// Puts a run into the queue, as a part of a larger change.
import { PoolwrightError } from '../../protocol/errors.js';
import type { RunType } from '../../protocol/runs.js';
import { audit } from '../access/audit.js';
import type { Context, Tx } from '../context.js';
import { publicPoolId } from '../store/pool-tables.js';
import type { RuntimeConfig } from '../store/run-tables.js';
import type { RunRow, StackRow } from '../store/schema.js';
import { record } from './change.js';
import { refreshHolds } from './holds.js';
import { assertSendable } from './sendable.js';
import { traceMade } from './traced.js';
import { takeTurn } from './turns.js';
import { deadlineOf, firstStage, isWrite } from './transitions.js';

export interface RunRequest {
  readonly type: RunType;
  /** Another branch than the stack's. */
  readonly branch?: string | null;
  /** Full commit id; not given: the tip of the branch. */
  readonly commitSha?: string | null;
  /** An uploaded archive, see stacks/uploads.ts; not given: the stack's repository. */
  readonly archive?: string | null;
  /** The command, for a TASK. */
  readonly task?: string | null;
  /** For a TASK: without the tool's initialisation and its hooks. */
  readonly skipInitialization?: boolean;
  readonly title?: string;
  readonly runtimeConfig?: RuntimeConfig;
  /** The plan is applied without anybody's confirmation; `CASCADE`: also those of the runs that follow from it in the same space. */
  readonly forceApply?: 'SINGLE' | 'CASCADE' | null;
  /** Looks for drift: behind all other runs, and within the pool's limit. */
  readonly drift?: boolean;
  /** The run that this one repeats, promotes or follows. */
  readonly origin?: string | null;
  readonly requestedBy: string;
}

/** Where a run that was triggered stands before those that were asked for by a schedule. */
const priorities = { usual: 0, drift: -1 } as const;

/**
 * For a transaction that holds the stack's row. The caller tells of the run after the commit.
 * Throws CONFLICT (stack disabled, or locked by another), INVALID_ARGUMENT.
 */
export async function createRun(
  tx: Tx,
  context: Context,
  stack: StackRow,
  request: RunRequest,
): Promise<RunRow> {
  assertMayRun(stack, request);
  const now = context.clock.now();
  const pool = stack.pool_id ?? publicPoolId;
  const made = await tx
    .insertInto('runs')
    .values({
      id: context.ids.next(),
      stack_id: stack.id,
      pool_id: pool,
      type: request.type,
      state: 'QUEUED',
      stage: firstStage(request.type),
      attempt: 0,
      worker_id: null,
      begun: false,
      unbegun_attempts: 0,
      title: request.title ?? defaultTitle(request),
      created_at: now,
      updated_at: now,
      queued_at: now,
      waiting_since: now,
      deadline_at: deadlineOf('QUEUED', now),
      priority: request.drift === true ? priorities.drift : priorities.usual,
      branch: request.archive == null ? (request.branch ?? stack.branch) : null,
      commit_sha: request.commitSha ?? null,
      task: request.task ?? null,
      archive_object: request.archive ?? null,
      workspace_object: null,
      applied_number: 0,
      changes: null,
      failure_code: null,
      failure_message: null,
      requested_by: request.requestedBy,
      stop_requested_at: null,
      stop_note: null,
      runtime_config: JSON.stringify(request.runtimeConfig ?? {}),
      turn: await takeTurn(tx, stack.id, pool),
      hold: isWrite(request.type) ? 'STACK' : null,
      drift: request.drift ?? false,
      force_apply: request.forceApply ?? null,
      skip_initialization: request.skipInitialization ?? false,
      origin: request.origin ?? null,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await record(tx, made, { username: request.requestedBy }, null);
  traceMade(tx, context, made);
  await audit(tx, context, {
    action: 'run.trigger',
    type: 'run',
    id: made.id,
    space: stack.space,
    before: null,
    after: {
      stack: stack.id,
      type: made.type,
      title: made.title,
      commit: made.commit_sha,
      origin: made.origin,
    },
  });
  if (isWrite(request.type)) await refreshHolds(tx, stack.id);
  return made;
}

function assertMayRun(stack: StackRow, request: RunRequest): void {
  assertSendable(request);
  if (stack.disabled) throw conflict(stack.id, 'it is disabled; enable it first');
  if (stack.locked_by !== null && stack.locked_by !== request.requestedBy && isWrite(request.type)) {
    const note = stack.lock_note === null ? '' : ` (${stack.lock_note})`;
    throw conflict(stack.id, `it is locked by ${stack.locked_by}${note}; unlock it first`);
  }
  if ((request.type === 'TASK') !== (typeof request.task === 'string' && request.task.trim() !== '')) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      'Expected a command for a run of type TASK, and only for that.',
    );
  }
}

function conflict(stack: string, why: string): PoolwrightError {
  return new PoolwrightError('CONFLICT', `The stack ${stack} cannot run: ${why}.`);
}

function defaultTitle({ type, task, archive, drift }: RunRequest): string {
  if (typeof task === 'string') return task.split('\n', 1)[0]?.slice(0, 200) ?? 'Task';
  if (drift === true) return 'Drift detection';
  if (archive != null)
    return type === 'PROPOSED' ? 'Preview of a local workspace' : 'Run of an uploaded workspace';
  return {
    PROPOSED: 'Proposed run',
    TRACKED: 'Triggered run',
    TESTING: 'Test run',
    DESTROY: 'Destroy',
    TASK: 'Task',
  }[type];
}
