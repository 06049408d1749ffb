// Runs, as the API gives them: starting, reading, deciding.
import { z } from 'zod';
import { PoolwrightError } from '../../../protocol/errors.js';
import { runStateSchema, runTypeSchema, type RunType } from '../../../protocol/runs.js';
import type { ApiClient } from './client.js';
import { noSuchStack } from './stacks.js';

const runFields = `id type state title createdAt finished attempt worker commitSha branch note position waitReason
  failure { code message } changes { add change destroy any }`;
const historyFields = 'history { state stateVersion timestamp terminal hasLogs note username }';

export const runSchema = z.object({
  id: z.string(),
  type: runTypeSchema,
  state: runStateSchema,
  title: z.string().nullable(),
  createdAt: z.int(),
  /** Whether it has reached a state that nothing follows. */
  finished: z.boolean(),
  /** How often it was given to a worker. */
  attempt: z.int(),
  worker: z.string().nullable(),
  commitSha: z.string().nullable(),
  branch: z.string().nullable(),
  note: z.string().nullable(),
  /** Place in the pool's queue, from 1; `lastPosition` of queue/place-text.ts stands for all from there on. Null when it does not wait there. */
  position: z.int().nullable(),
  /** Why it waits, in plain words. */
  waitReason: z.string().nullable(),
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
  changes: z
    .object({
      add: z.int().nullable(),
      change: z.int().nullable(),
      destroy: z.int().nullable(),
      any: z.boolean(),
    })
    .nullable(),
});
export type Run = z.infer<typeof runSchema>;

const transitionSchema = z.object({
  state: runStateSchema,
  /** Which visit of that state it is, from 1. */
  stateVersion: z.int(),
  timestamp: z.int(),
  terminal: z.boolean(),
  hasLogs: z.boolean(),
  note: z.string().nullable(),
  username: z.string().nullable(),
});
export type Transition = z.infer<typeof transitionSchema>;

const runWithHistorySchema = runSchema.extend({ history: z.array(transitionSchema) });
export type RunWithHistory = z.infer<typeof runWithHistorySchema>;

/** The three lists of runs of a stack, by the API's names. */
export const runLists = { tracked: 'runs', proposed: 'proposedRuns', tasks: 'tasks' } as const;
export type RunList = keyof typeof runLists;

/** One page of a stack's runs, newest first; `before` is the id of the last one of the page before. */
export async function listRuns(
  client: ApiClient,
  stackId: string,
  list: RunList,
  before?: string,
): Promise<Run[]> {
  const { stack } = await client.request(
    `query ($stack: ID!, $before: ID) { stack(id: $stack) { page: ${runLists[list]}(before: $before) { ${runFields} } } }`,
    { stack: stackId, before: before ?? null },
    z.object({ stack: z.object({ page: z.array(runSchema) }).nullable() }),
  );
  if (stack === null) throw noSuchStack(stackId);
  return stack.page;
}

/** The newest run of a stack of any type, undefined when it had none. */
export async function newestRun(client: ApiClient, stackId: string): Promise<Run | undefined> {
  const pages = await Promise.all([
    listRuns(client, stackId, 'tracked'),
    listRuns(client, stackId, 'proposed'),
    listRuns(client, stackId, 'tasks'),
  ]);
  // ULIDs sort by time of creation.
  return pages.flat().toSorted((left, right) => (left.id < right.id ? 1 : -1))[0];
}

/** A run with its history, newest transition first. NOT_FOUND when stack or run is not there. */
export async function getRun(client: ApiClient, stackId: string, runId: string): Promise<RunWithHistory> {
  const { stack } = await client.request(
    `query ($stack: ID!, $run: ID!) { stack(id: $stack) { run(id: $run) { ${runFields} ${historyFields} } } }`,
    { stack: stackId, run: runId },
    z.object({ stack: z.object({ run: runWithHistorySchema.nullable() }).nullable() }),
  );
  if (stack === null) throw noSuchStack(stackId);
  if (stack.run === null)
    throw new PoolwrightError('NOT_FOUND', `The stack "${stackId}" has no run ${runId}.`);
  return stack.run;
}

export interface TriggerInput {
  readonly stack: string;
  readonly runType?: RunType | undefined;
  readonly commitSha?: string | undefined;
  /** Id of an uploaded workspace to take the files from instead of the stack's repository. */
  readonly workspace?: string | undefined;
}

export async function triggerRun(client: ApiClient, input: TriggerInput): Promise<Run> {
  const { runTrigger } = await client.request(
    `mutation ($stack: ID!, $commitSha: String, $runType: RunType, $workspace: ID) {
      runTrigger(stack: $stack, commitSha: $commitSha, runType: $runType, workspace: $workspace) { ${runFields} }
    }`,
    { ...input },
    z.object({ runTrigger: runSchema }),
  );
  return runTrigger;
}

export async function createTask(client: ApiClient, stackId: string, command: string): Promise<Run> {
  const { taskCreate } = await client.request(
    `mutation ($stack: ID!, $command: String!) { taskCreate(stack: $stack, command: $command) { ${runFields} } }`,
    { stack: stackId, command },
    z.object({ taskCreate: runSchema }),
  );
  return taskCreate;
}

/** A read run of the uploaded workspace. */
export async function proposeRun(client: ApiClient, stackId: string, workspace: string): Promise<Run> {
  const { runProposeLocalWorkspace } = await client.request(
    `mutation ($stack: ID!, $workspace: ID!) {
      runProposeLocalWorkspace(stack: $stack, workspace: $workspace) { ${runFields} }
    }`,
    { stack: stackId, workspace },
    z.object({ runProposeLocalWorkspace: runSchema }),
  );
  return runProposeLocalWorkspace;
}

export type Decision = 'confirm' | 'discard' | 'cancel';
const decisions = { confirm: 'runConfirm', discard: 'runDiscard', cancel: 'runCancel' } as const;

export async function decideRun(
  client: ApiClient,
  decision: Decision,
  stackId: string,
  runId: string,
): Promise<Run> {
  const { run } = await client.request(
    `mutation ($stack: ID!, $run: ID!) { run: ${decisions[decision]}(stack: $stack, run: $run) { ${runFields} } }`,
    { stack: stackId, run: runId },
    z.object({ run: runSchema }),
  );
  return run;
}

export async function stopRun(
  client: ApiClient,
  stackId: string,
  runId: string,
  note?: string,
): Promise<Run> {
  const { runStop } = await client.request(
    `mutation ($stack: ID!, $run: ID!, $note: String) { runStop(stack: $stack, run: $run, note: $note) { ${runFields} } }`,
    { stack: stackId, run: runId, note: note ?? null },
    z.object({ runStop: runSchema }),
  );
  return runStop;
}
