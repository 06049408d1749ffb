// Which pods of ended runs are kept to look at, and for how long.
import { millisecondsOf } from '../../protocol/kubernetes/fields.js';
import { annotations } from '../../protocol/kubernetes/names.js';
import { defaultFailedPods, type WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import type { Clock } from '../clock.js';
import { paths, type KubeApi } from './api.js';
import type { Pod } from './objects.js';

/** Whether pods of finished runs are kept at all. */
export function keepsSuccessful(spec: WorkerPoolSpec): boolean {
  return successfulLimit(spec) > 0;
}

/** `keepSuccessfulPods` alone keeps all, and so does a time to live, until it is over. */
export function successfulLimit(spec: WorkerPoolSpec): number {
  const { successfulPodsHistoryLimit, successfulPodsHistoryTTL, keepSuccessfulPods } = spec;
  const forATime = successfulPodsHistoryTTL !== undefined;
  return successfulPodsHistoryLimit ?? (keepSuccessfulPods === true || forATime ? Infinity : 0);
}

export function keepsFailed(spec: WorkerPoolSpec): boolean {
  return failedLimit(spec) > 0;
}

/** The same: a time to live alone counts no pods. */
function failedLimit({ failedPodsHistoryLimit, failedPodsHistoryTTL }: WorkerPoolSpec): number {
  return failedPodsHistoryLimit ?? (failedPodsHistoryTTL === undefined ? defaultFailedPods : Infinity);
}

export function isDone(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Removes what is beyond the pool's limits and times. `pods`: those of the pool. */
export async function prune(
  api: Pick<KubeApi, 'remove'>,
  clock: Clock,
  pods: readonly Pod[],
  spec: WorkerPoolSpec,
): Promise<void> {
  const newestFirst = pods
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .sort((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp));
  const kinds = [
    { outcome: 'finished', limit: successfulLimit(spec), ttl: spec.successfulPodsHistoryTTL },
    { outcome: 'failed', limit: failedLimit(spec), ttl: spec.failedPodsHistoryTTL },
  ];
  for (const { outcome, limit, ttl } of kinds) {
    const oldest = ttl === undefined ? -Infinity : clock.now() - millisecondsOf(ttl);
    const surplus = newestFirst
      .filter(({ metadata }) => metadata.annotations?.[annotations.outcome] === outcome)
      .filter(({ metadata }, index) => index >= limit || Date.parse(metadata.creationTimestamp) < oldest);
    for (const { metadata } of surplus)
      await api.remove(`${paths.pods(metadata.namespace)}/${metadata.name}`);
  }
}
