// Which pods of ended runs are kept to look at, and for how long; and that none of them runs on.
import { millisecondsOf } from '../../protocol/kubernetes/fields.js';
import { annotations, containers } from '../../protocol/kubernetes/names.js';
import { defaultFailedPods, type WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import type { Clock } from '../clock.js';
import { paths, type KubeApi } from './api.js';
import type { Pod } from './objects.js';
import { statusOf } from './pod-end.js';

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

/** A patch after which the node ends a pod, and keeps it to look at: as one whose time is over. */
export const endedByNode = { spec: { activeDeadlineSeconds: 1 } };

/** Milliseconds that a kept pod has to end by itself once its server has. */
const endsWithin = 30_000;

/** Removes what is beyond the pool's limits and times, and ends what is kept and runs on. `pods`: those of the pool. */
export async function prune(
  api: Pick<KubeApi, 'remove' | 'patch'>,
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
  for (const pod of newestFirst.filter((pod) => runsOn(pod, clock.now() - endsWithin)))
    await api.patch(`${paths.pods(pod.metadata.namespace)}/${pod.metadata.name}`, endedByNode);
}

/** As when the container `worker` got its image only after the server was gone: it waits for nobody then. */
function runsOn(pod: Pod, since: number): boolean {
  const { finishedAt = '' } = statusOf(pod, containers.server)?.state?.terminated ?? {};
  const isOver = pod.metadata.annotations?.[annotations.outcome] !== undefined;
  return isOver && !isDone(pod) && pod.spec?.activeDeadlineSeconds !== 1 && Date.parse(finishedAt) <= since;
}
