// Runs are triggered and looked at here.
import { PoolwrightError } from '../../protocol/errors.js';
import type { RunState, RunType } from '../../protocol/runs.js';
import type { Context } from '../context.js';
import type { RunRow, RuntimeConfig, TransitionRow } from '../store/schema.js';
import { getStack } from '../stacks/stacks.js';
import { record, runNotFound, tell } from './change.js';
import { deadlineOf, firstStage } from './transitions.js';

export interface Trigger {
  readonly stack: string;
  readonly type: RunType;
  /** Full commit id; not given: the tip of the stack's branch. */
  readonly commitSha?: string | null;
  /** An uploaded archive, see stacks/uploads.ts; not given: the stack's repository. */
  readonly archive?: string | null;
  /** The command, for a TASK. */
  readonly task?: string | null;
  readonly title?: string;
  readonly runtimeConfig?: RuntimeConfig;
  readonly requestedBy: string;
}

/** Puts a run into the queue. Throws NOT_FOUND, CONFLICT (stack disabled or without pool), INVALID_ARGUMENT. */
export async function triggerRun(context: Context, trigger: Trigger): Promise<RunRow> {
  const stack = await getStack(context, trigger.stack);
  if (stack.disabled) throw conflict(trigger.stack, 'it is disabled; enable it first');
  if (stack.pool_id === null) throw conflict(trigger.stack, 'it has no worker pool; give it one first');
  if (stack.locked_by !== null && trigger.type !== 'PROPOSED') {
    throw conflict(trigger.stack, `it is locked by ${stack.locked_by}; unlock it first`);
  }
  if ((trigger.type === 'TASK') !== (typeof trigger.task === 'string' && trigger.task.trim() !== '')) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      'Expected a command for a run of type TASK, and only for that.',
    );
  }
  if (trigger.archive != null) await assertUploaded(context, trigger.stack, trigger.archive);
  const now = context.clock.now();
  const poolId = stack.pool_id;
  const row = await context.db.transaction().execute(async (tx) => {
    const made = await tx
      .insertInto('runs')
      .values({
        id: context.ids.next(),
        stack_id: stack.id,
        pool_id: poolId,
        type: trigger.type,
        state: 'QUEUED',
        stage: firstStage(trigger.type),
        attempt: 0,
        worker_id: null,
        begun: false,
        unbegun_attempts: 0,
        title: trigger.title ?? defaultTitle(trigger),
        created_at: now,
        updated_at: now,
        queued_at: now,
        deadline_at: deadlineOf('QUEUED', now),
        priority: 0,
        branch: trigger.archive == null ? stack.branch : null,
        commit_sha: trigger.commitSha ?? null,
        task: trigger.task ?? null,
        archive_object: trigger.archive ?? null,
        workspace_object: null,
        applied_number: 0,
        changes: null,
        failure_code: null,
        failure_message: null,
        requested_by: trigger.requestedBy,
        stop_requested_at: null,
        stop_note: null,
        runtime_config: JSON.stringify(trigger.runtimeConfig ?? {}),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await record(tx, made, { username: trigger.requestedBy }, null);
    return made;
  });
  tell(context, row);
  return row;
}

function conflict(stack: string, why: string): PoolwrightError {
  return new PoolwrightError('CONFLICT', `The stack ${stack} cannot run: ${why}.`);
}

async function assertUploaded(context: Context, stack: string, archive: string): Promise<void> {
  const upload = await context.db
    .selectFrom('uploads')
    .select('completed_at')
    .where('id', '=', archive)
    .where('stack_id', '=', stack)
    .executeTakeFirst();
  if (upload === undefined) {
    throw new PoolwrightError('NOT_FOUND', `The stack ${stack} has no uploaded workspace ${archive}.`);
  }
  if (upload.completed_at === null) {
    throw new PoolwrightError(
      'CONFLICT',
      `The workspace ${archive} is not uploaded yet. Upload it to its address first.`,
    );
  }
}

function defaultTitle({ type, task, archive }: Trigger): string {
  if (typeof task === 'string') return task.split('\n', 1)[0]?.slice(0, 200) ?? 'Task';
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

/** Throws NOT_FOUND. */
export async function getRun(context: Pick<Context, 'db'>, run: string): Promise<RunRow> {
  const row = await findRun(context, run);
  if (row === undefined) throw runNotFound(run);
  return row;
}

export function findRun(context: Pick<Context, 'db'>, run: string): Promise<RunRow | undefined> {
  return context.db.selectFrom('runs').selectAll().where('id', '=', run).executeTakeFirst();
}

export interface RunFilter {
  readonly stack?: string;
  readonly pool?: string;
  readonly types?: readonly RunType[];
  readonly states?: readonly RunState[];
  /** Only runs older than this one. */
  readonly before?: string | null;
  /** Default 50. */
  readonly limit?: number;
}

/** Newest first. */
export function listRuns(context: Pick<Context, 'db'>, filter: RunFilter): Promise<RunRow[]> {
  let query = context.db.selectFrom('runs').selectAll();
  if (filter.stack !== undefined) query = query.where('stack_id', '=', filter.stack);
  if (filter.pool !== undefined) query = query.where('pool_id', '=', filter.pool);
  if (filter.types !== undefined) query = query.where('type', 'in', filter.types);
  if (filter.states !== undefined) query = query.where('state', 'in', filter.states);
  if (filter.before != null) query = query.where('id', '<', filter.before);
  return query
    .orderBy('id', 'desc')
    .limit(filter.limit ?? 50)
    .execute();
}

/** What a run went through, oldest first. */
export function runHistory(context: Pick<Context, 'db'>, run: string): Promise<TransitionRow[]> {
  return context.db
    .selectFrom('run_transitions')
    .selectAll()
    .where('run_id', '=', run)
    .orderBy('number')
    .execute();
}
