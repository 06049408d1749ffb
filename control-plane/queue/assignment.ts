// Turns a match of run and worker into the message that the worker gets.
import { faultsError, PoolwrightError } from '../../protocol/errors.js';
import { limits } from '../../protocol/limits.js';
import { assignmentSchema, type Variable } from '../../protocol/messages.js';
import { parseAs } from '../../protocol/wire.js';
import type { Context, DownBody } from '../context.js';
import { getPool } from '../pools/pools.js';
import { addressOf } from '../pools/workers.js';
import { lockAttempt, lockWorker } from '../runs/attempts.js';
import { changeRun, tell } from '../runs/change.js';
import { inputsOf, reportsOutputs } from '../stacks/outputs.js';
import { getStack } from '../stacks/stacks.js';
import type { RunRow, StackRow, VariableRow } from '../store/schema.js';
import type { Match } from './assign.js';

export type AssignmentBody = Extract<DownBody, { type: 'assignment' }>;

/** Sends a committed match to its worker. Also for a worker that registers again before it has accepted. */
export async function sendAssignment(context: Context, { run, worker }: Match): Promise<void> {
  try {
    const body = await assignmentBody(context, run, worker.id);
    assertFollowsProtocol(body);
    context.outbox.send(addressOf(worker), body);
  } catch (error) {
    if (!(error instanceof PoolwrightError)) throw error;
    // What is wrong is wrong for every worker: going round the queue would only hide it.
    await failUnsendable(context, run, worker.id, error);
  }
}

const bodySchema = assignmentSchema.omit({
  v: true,
  id: true,
  pool: true,
  worker: true,
  session: true,
  issuedAt: true,
  expiresAt: true,
});
/** Bytes that are left for what the outbox adds: addressee, times, signature. */
const envelope = 2048;

/** The outbox could only log it. Throws INVALID_MESSAGE. */
function assertFollowsProtocol(body: AssignmentBody): void {
  const what = `The assignment of run ${body.run}`;
  parseAs(bodySchema, body, what);
  // Signed is the text, which goes as a string into another.
  const bytes = Buffer.byteLength(JSON.stringify(JSON.stringify(body)));
  if (bytes + envelope > limits.message) {
    throw new PoolwrightError(
      'INVALID_MESSAGE',
      `${what} is too large: its hooks, commands and environment make ${String(bytes)} bytes, expected at most ` +
        `${String(limits.message - envelope)}. Put large values into files of the repository.`,
    );
  }
}

async function failUnsendable(
  context: Context,
  run: RunRow,
  worker: string,
  error: PoolwrightError,
): Promise<void> {
  const failed = await context.db.transaction().execute(async (tx) => {
    await lockWorker(tx, worker);
    const current = await lockAttempt(tx, run.id, run.attempt, worker);
    await tx.updateTable('workers').set({ run_id: null }).where('id', '=', worker).execute();
    return changeRun(tx, context, current, {
      state: 'FAILED',
      note: error.message,
      set: { worker_id: null, failure_code: error.code, failure_message: error.message },
    });
  });
  tell(context, failed);
  context.events.emit({ kind: 'worker', pool: run.pool_id, worker, free: true });
}

async function assignmentBody(context: Context, run: RunRow, worker: string): Promise<AssignmentBody> {
  const stack = await getStack(context, run.stack_id);
  const variables = await context.db
    .selectFrom('stack_variables')
    .selectAll()
    .where('stack_id', '=', stack.id)
    .orderBy('name')
    .execute();
  const pool = await getPool(context, run.pool_id);
  return {
    type: 'assignment',
    run: run.id,
    attempt: run.attempt,
    stack: stack.id,
    runType: run.type,
    stage: run.stage,
    // For a task that needs no initialisation, the launcher does not have to know the tool.
    tool: run.skip_initialization ? 'commands' : stack.tool,
    runnerImage: run.runtime_config.runnerImage ?? stack.runner_image,
    projectRoot: run.runtime_config.projectRoot ?? stack.project_root,
    source: sourceOf(run, stack),
    workspace: run.stage === 'APPLY' ? run.workspace_object : null,
    hooks: run.skip_initialization ? { ...stack.hooks, beforeInit: [], afterInit: [] } : stack.hooks,
    commands: stack.commands,
    task: run.task,
    environment: environmentOf(
      run,
      variables,
      await inputsOf(context, stack.id, pool.public_key),
      pool.public_key,
    ),
    ...(reportsOutputs(run) ? { outputs: true } : {}),
    bulk: await context.bulk.grant(run.id, run.attempt, worker),
  };
}

function sourceOf(run: RunRow, stack: StackRow): AssignmentBody['source'] {
  if (run.stage === 'APPLY') return { kind: 'none' };
  if (run.archive_object !== null) return { kind: 'archive', object: run.archive_object };
  if (stack.repository === null) return { kind: 'none' };
  return {
    kind: 'git',
    repository: stack.repository,
    branch: run.branch ?? stack.branch,
    commit: run.commit_sha,
  };
}

/**
 * The stack's variables, over them outputs of other stacks, and over these the run's own. Throws CONFLICT for values
 * that are not there, or that no worker can open.
 */
function environmentOf(
  run: RunRow,
  variables: readonly VariableRow[],
  inputs: Awaited<ReturnType<typeof inputsOf>>,
  publicKey: string,
): Variable[] {
  const unreadable = variables.filter(
    ({ kind, sealed_for }) => kind === 'sealed' && sealed_for !== publicKey,
  );
  const faults = [
    ...unreadable.map(({ name }) => ({
      path: name,
      reason: 'sealed for a key that the pool no longer has; enter the value anew',
    })),
    ...inputs.faults,
  ];
  if (faults.length > 0) {
    throw faultsError('CONFLICT', `The environment of stack ${run.stack_id}`, faults);
  }
  const byName = new Map<string, Variable>();
  for (const { name, kind, value } of variables) {
    byName.set(name, {
      name,
      value: kind === 'plain' ? { kind, text: value } : { kind, data: value },
    });
  }
  for (const variable of inputs.variables) byName.set(variable.name, variable);
  for (const { name, value } of run.runtime_config.environment ?? []) {
    byName.set(name, { name, value: { kind: 'plain', text: value } });
  }
  return [...byName.values()];
}
