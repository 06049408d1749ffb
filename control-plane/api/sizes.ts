// How many values a field of the API may give, or has read for it: entries of lists, pages of searches, long texts.
import { valueFromASTUntyped, type FieldNode } from 'graphql';
import { limits } from '../../protocol/limits.js';
import { runsAtOnce } from '../runs/runs.js';
import { logPage } from '../runs/visits.js';
import { largestPage, usualPage } from '../store/search.js';
import { scheduleLimits } from '../stacks/schedules.js';
import { mostWebhooks } from '../webhooks/webhooks.js';

export type Variables = Readonly<Record<string, unknown>>;

/**
 * Entries of each list that nobody bounds by `first`, by `Type.field`: at most, or as a fair guess. Every list of the
 * schema is here; only the edges of a search are not, as the search itself counts for them.
 */
export const entries: Readonly<Record<string, number>> = {
  'Query.spaces': 100,
  'Query.apiKeys': 100,
  'Query.workerPools': 100,
  'Query.alarms': 100,
  'Mutation.workerPoolDrainSet': 100,
  'Viewer.spaces': 10,
  'ApiKey.spaces': 10,
  'WorkerPool.labels': 10,
  'WorkerPool.workers': 100,
  'WorkerPool.usedBy': 100,
  'PublicWorkerPool.usedBy': 100,
  'LauncherRelease.bases': 100,
  'StackDependency.references': 10,
  'Stack.labels': 10,
  'Stack.dependsOn': 10,
  'Stack.isDependedOnBy': 10,
  'Stack.outputs': limits.outputs,
  'Stack.webhooks': mostWebhooks,
  'Stack.scheduledRuns': scheduleLimits.schedules,
  'Stack.scheduledTasks': scheduleLimits.schedules,
  'ScheduledRun.cronSchedule': scheduleLimits.expressions,
  'ScheduledTask.cronSchedule': scheduleLimits.expressions,
  'Stack.beforeInit': 10,
  'Stack.afterInit': 10,
  'Stack.beforePlan': 10,
  'Stack.afterPlan': 10,
  'Stack.beforeApply': 10,
  'Stack.afterApply': 10,
  'Stack.beforePerform': 10,
  'Stack.afterPerform': 10,
  'Stack.planCommands': 10,
  'Stack.applyCommands': 10,
  'Stack.destroyCommands': 10,
  'Stack.config': 100,
  'Stack.runs': runsAtOnce,
  'Stack.proposedRuns': runsAtOnce,
  'Stack.tasks': runsAtOnce,
  'Run.history': 20,
  'RuntimeConfig.environment': 10,
  'RunLogs.messages': logPage.records,
  'StringMap.entries': 10,
};

/** What is read for a field whatever is asked of it, in values of usual length: text of up to 1 MiB, 8 MiB, 1 MiB. */
const reads: Readonly<Record<string, number>> = {
  'Run.logs': 5000,
  'Stack.outputs': 8000,
  'Stack.config': 1000,
};

/** Values of a field; `below`: those of one entry. `type`: the name of the type that it is a field of. */
export function valuesOf(type: string, field: FieldNode, below: number, variables: Variables): number {
  const place = `${type}.${field.name.value}`;
  const count = entries[place] ?? searched(field, variables);
  return field.selectionSet === undefined ? count : 1 + (reads[place] ?? 0) + below * count;
}

/** Rows of a search; 1 for a field that is none. */
function searched({ name, arguments: args }: FieldNode, variables: Variables): number {
  const input = args?.find((argument) => argument.name.value === 'input')?.value;
  if (input === undefined || !name.value.startsWith('search')) return 1;
  const value: unknown = valueFromASTUntyped(input, { ...variables });
  const first = typeof value === 'object' && value !== null && 'first' in value ? value.first : undefined;
  return typeof first === 'number' ? Math.min(Math.max(first, 0), largestPage) : usualPage;
}
