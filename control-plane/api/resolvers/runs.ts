// Runs: starting them, deciding on them, reading their logs.
import { PoolwrightError } from '../../../protocol/errors.js';
import type { RunState, RunType } from '../../../protocol/runs.js';
import { createUpload } from '../../http/uploads.js';
import { queuePosition, waitReason } from '../../queue/waiting.js';
import {
  cancelRun,
  confirmRun,
  discardRun,
  prioritizeRun,
  stopRun,
  type Decision,
} from '../../runs/decisions.js';
import { canRetry, promoteRun, retryRun } from '../../runs/repeat.js';
import { triggerRun } from '../../runs/runs.js';
import { isEnd } from '../../runs/transitions.js';
import { hasLog, readVisit, runVisits, type Visit } from '../../runs/visits.js';
import type { RuntimeConfig } from '../../store/run-tables.js';
import type { RunRow } from '../../store/schema.js';
import { identityOf, rightsOf, seconds, stackFor, type ApiRequest } from '../request.js';

export interface RuntimeConfigInput {
  readonly runnerImage?: string | null;
  readonly projectRoot?: string | null;
  readonly environment?: readonly { readonly key: string; readonly value: string }[] | null;
}

interface TriggerArguments {
  readonly stack: string;
  readonly commitSha?: string | null;
  readonly runType?: RunType | null;
  readonly runtimeConfig?: RuntimeConfigInput | null;
  readonly workspace?: string | null;
  readonly forceApply?: 'SINGLE' | 'CASCADE' | null;
}

interface RunReference {
  readonly stack: string;
  readonly run: string;
  readonly note?: string | null;
}

/** What is not given stays the stack's. */
export function runtimeConfig(input: RuntimeConfigInput | null | undefined): RuntimeConfig {
  return {
    runnerImage: input?.runnerImage ?? undefined,
    projectRoot: input?.projectRoot ?? undefined,
    environment: input?.environment?.map(({ key, value }) => ({ name: key, value })),
  };
}

/** Somebody who may do this with the stack's runs. */
async function operatorOf(request: ApiRequest, stack: string): Promise<string> {
  await stackFor(request, stack, 'operate');
  return identityOf(request).name;
}

const decision =
  (decide: (context: ApiRequest['context'], decision: Decision) => Promise<RunRow>) =>
  async (_: unknown, { stack, run, note }: RunReference, request: ApiRequest) => {
    const username = await operatorOf(request, stack);
    return decide(request.context, { stack, run, username, note: note ?? null });
  };

export const runResolvers = {
  Mutation: {
    runTrigger: async (_: unknown, args: TriggerArguments, request: ApiRequest) => {
      const requestedBy = await operatorOf(request, args.stack);
      const type = args.runType ?? 'TRACKED';
      if (type === 'TASK') {
        throw new PoolwrightError('INVALID_ARGUMENT', 'A task needs a command: use taskCreate.');
      }
      return triggerRun(request.context, {
        stack: args.stack,
        type,
        commitSha: args.commitSha ?? null,
        archive: args.workspace ?? null,
        runtimeConfig: runtimeConfig(args.runtimeConfig),
        forceApply: args.forceApply ?? null,
        requestedBy,
      });
    },
    taskCreate: async (
      _: unknown,
      args: { stack: string; command: string; skipInitialization?: boolean | null },
      request: ApiRequest,
    ) => {
      const requestedBy = await operatorOf(request, args.stack);
      return triggerRun(request.context, {
        stack: args.stack,
        type: 'TASK',
        task: args.command,
        skipInitialization: args.skipInitialization ?? false,
        requestedBy,
      });
    },
    runProposeLocalWorkspace: async (
      _: unknown,
      args: {
        stack: string;
        workspace: string;
        environmentVarsOverrides?: RuntimeConfigInput['environment'];
      },
      request: ApiRequest,
    ) => {
      const requestedBy = await operatorOf(request, args.stack);
      return triggerRun(request.context, {
        stack: args.stack,
        type: 'PROPOSED',
        archive: args.workspace,
        runtimeConfig: runtimeConfig({ environment: args.environmentVarsOverrides ?? null }),
        requestedBy,
      });
    },
    runConfirm: decision(confirmRun),
    runDiscard: decision(discardRun),
    runCancel: decision(cancelRun),
    runStop: decision(stopRun),
    runRetry: decision((context, { stack = '', run, username }) =>
      retryRun(context, { stack, run, username }),
    ),
    runPromote: decision((context, { stack = '', run, username }) =>
      promoteRun(context, { stack, run, username }),
    ),
    runPrioritizeSet: async (
      _: unknown,
      { stack, run, prioritize }: RunReference & { prioritize: boolean },
      request: ApiRequest,
    ) => {
      const username = await operatorOf(request, stack);
      return prioritizeRun(request.context, { stack, run, prioritize, username });
    },
    uploadLocalWorkspace: async (_: unknown, { stack }: { stack: string }, request: ApiRequest) => {
      const requestedBy = await operatorOf(request, stack);
      const { id, path, headers } = await createUpload(request.context, request.tokens, {
        stack,
        requestedBy,
      });
      const entries = Object.entries(headers).map(([key, value]) => ({ key, value }));
      return { id, uploadUrl: `${request.publicUrl()}${path}`, uploadHeaders: { entries } };
    },
  },
  Run: {
    createdAt: ({ created_at }: RunRow) => seconds(created_at),
    finished: ({ state }: RunRow) => isEnd(state),
    worker: ({ worker_id }: RunRow) => worker_id,
    commitSha: ({ commit_sha }: RunRow) => commit_sha,
    note: async ({ id }: RunRow, _: unknown, { context }: ApiRequest) =>
      (await runVisits(context, id)).at(-1)?.transition.note ?? null,
    position: (run: RunRow, _: unknown, { context }: ApiRequest) => queuePosition(context, run),
    waitReason: (run: RunRow, _: unknown, request: ApiRequest) =>
      waitReason(request.context, run, rightsOf(request).spaces),
    deadline: ({ deadline_at }: RunRow) => (deadline_at === null ? null : seconds(deadline_at)),
    prioritized: ({ priority }: RunRow) => priority > 0,
    driftDetection: ({ drift }: RunRow) => drift,
    canRetry: (run: RunRow) => canRetry(run),
    command: ({ task }: RunRow) => task,
    triggeredBy: ({ requested_by }: RunRow) => requested_by,
    failure: ({ failure_code, failure_message }: RunRow) =>
      failure_code === null ? null : { code: failure_code, message: failure_message ?? '' },
    history: async ({ id }: RunRow, _: unknown, { context }: ApiRequest) =>
      (await runVisits(context, id)).toReversed(),
    logs: async (
      run: RunRow,
      {
        state,
        token,
        stateVersion,
      }: { state: RunState; token?: string | null; stateVersion?: number | null },
      { context, logs }: ApiRequest,
    ) => {
      const log = await readVisit(context, logs, run, {
        state,
        token: token ?? null,
        version: stateVersion ?? null,
      });
      const { exists, finished, hasMore, next, records } = log;
      const messages = records.map(({ m, t }) => ({ message: m, timestamp: seconds(t) }));
      return { exists, finished, hasMore, nextToken: next, messages };
    },
  },
  RunTransition: {
    state: ({ transition }: Visit) => transition.state,
    stateVersion: ({ version }: Visit) => version,
    timestamp: ({ transition }: Visit) => seconds(transition.at),
    terminal: ({ transition }: Visit) => isEnd(transition.state),
    hasLogs: ({ transition }: Visit) => hasLog(transition.state),
    note: ({ transition }: Visit) => transition.note,
    username: ({ transition }: Visit) => transition.username,
  },
};
