// Why a pod ended, from what the cluster says of it: pod, container, reason, exit code and the words of events.
import { containers } from '../../protocol/kubernetes/names.js';
import type { ErrorCode } from '../../protocol/errors.js';
import { lastWordSchema, type LastWord } from './pod/assignment-files.js';
import type { ContainerStatus, Pod } from './objects.js';

export interface PodEnd {
  readonly code: ErrorCode;
  /** A sentence without the pod's name and without a full stop. */
  readonly text: string;
  /** Whether another worker may do better: only for what has nothing to do with the run. */
  readonly elsewhere: boolean;
}

const ownContainers: readonly string[] = [containers.init, containers.server, containers.worker];

export function statusesOf(pod: Pod): readonly ContainerStatus[] {
  return [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
}

export function statusOf(pod: Pod, name: string): ContainerStatus | undefined {
  return statusesOf(pod).find((status) => status.name === name);
}

/** What `init` or `launcher-grpc` said last; undefined when neither has ended with a word about the result. */
export function lastWordOf(pod: Pod): LastWord | undefined {
  for (const name of [containers.server, containers.init]) {
    const message = statusOf(pod, name)?.state?.terminated?.message;
    if (message === undefined || message === '') continue;
    try {
      const word = lastWordSchema.safeParse(JSON.parse(message));
      if (word.success && (name === containers.server || word.data.outcome !== 'prepared')) return word.data;
    } catch {
      // Not a word of ours: the container was ended before it wrote one.
    }
  }
  return undefined;
}

/** Whether nothing of the run can happen in the pod any more. */
export function isOver(pod: Pod): boolean {
  const { phase } = pod.status ?? {};
  if (phase === 'Succeeded' || phase === 'Failed') return true;
  const init = (pod.status?.initContainerStatuses ?? []).find(
    ({ state }) => state?.terminated !== undefined && state.terminated.exitCode !== 0,
  );
  return init !== undefined || statusOf(pod, containers.server)?.state?.terminated !== undefined;
}

/** Whether a container that the pool has added is still there: it does not know that the run is over. */
export function hasSidecar(pod: Pod): boolean {
  return (pod.status?.containerStatuses ?? []).some(
    ({ name, state }) => !ownContainers.includes(name) && state?.terminated === undefined,
  );
}

/** Reasons for waiting that no time mends, or that some time should have mended. */
const hopeless = new Set(['InvalidImageName', 'ErrImageNeverPull']);
const patience = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'RegistryUnavailable',
  'ImageInspectError',
]);

/** What keeps a container from starting; `at once` when waiting for it makes no sense. */
export function startProblem(pod: Pod): (PodEnd & { readonly atOnce: boolean }) | undefined {
  for (const { name, image = '', state } of statusesOf(pod)) {
    const { reason = '', message = '' } = state?.waiting ?? {};
    if (!hopeless.has(reason) && !patience.has(reason)) continue;
    const isImage = /Image|Registry/.test(reason);
    return {
      code: isImage ? 'IMAGE_UNAVAILABLE' : 'ENGINE_UNAVAILABLE',
      text: `the container ${name} cannot be started${isImage ? ` from the image ${image}` : ''} (${reason}): ${message}`,
      elsewhere: false,
      atOnce: hopeless.has(reason),
    };
  }
  return undefined;
}

/** `forced`: it was removed without waiting for its node. */
export function endOf(pod: Pod | undefined, forced = false): PodEnd {
  if (pod === undefined) {
    return {
      code: 'WORKER_LOST',
      text: 'it was removed by force, with everything that was in it',
      elsewhere: true,
    };
  }
  const status = pod.status ?? {};
  if (status.reason === 'DeadlineExceeded') {
    const seconds = String(pod.spec?.activeDeadlineSeconds ?? '');
    return {
      code: 'RUN_TIMED_OUT',
      text: `it ran longer than spec.pod.activeDeadlineSeconds (${seconds} s)`,
      elsewhere: false,
    };
  }
  const memory = statusesOf(pod).find(({ state }) => state?.terminated?.reason === 'OOMKilled');
  if (memory !== undefined) {
    const code = String(memory.state?.terminated?.exitCode);
    return {
      code: 'COMMAND_FAILED',
      text:
        `the container ${memory.name} was ended by the kernel because its memory ran out (OOMKilled, exit code ${code}). ` +
        `Raise spec.pod.${settingsName(memory.name)}.resources.limits.memory`,
      elsewhere: false,
    };
  }
  if (status.reason === 'Evicted') return infrastructure(`it was evicted: ${status.message ?? ''}`);
  const disruption = status.conditions?.find(
    ({ type, status: value }) => type === 'DisruptionTarget' && value === 'True',
  );
  if (disruption !== undefined) {
    return infrastructure(
      `it was ended by the cluster (${disruption.reason ?? 'DisruptionTarget'}): ${disruption.message ?? ''}`,
    );
  }
  if (status.reason === 'NodeLost' || status.phase === 'Unknown') return nodeGone(pod);
  const problem = startProblem(pod);
  if (problem !== undefined) return problem;
  const failed = statusesOf(pod).find(({ name, state }) => isFailure(name, state?.terminated?.exitCode));
  if (forced && failed === undefined)
    return pod.metadata.deletionGracePeriodSeconds === 0 ? removedByForce(pod) : nodeGone(pod);
  if (pod.metadata.deletionTimestamp !== undefined && status.phase !== 'Failed' && failed === undefined)
    return infrastructure('it was deleted');
  if (failed !== undefined) {
    const { exitCode = 0, reason = 'Error', message } = failed.state?.terminated ?? {};
    const deleted = pod.metadata.deletionTimestamp === undefined ? '' : 'it was deleted, and ';
    return {
      code: 'COMMAND_FAILED',
      text:
        `${deleted}the container ${failed.name} ended with exit code ${String(exitCode)} (${reason})` +
        (message === undefined || message.startsWith('{') ? '' : `: ${message}`),
      elsewhere: pod.metadata.deletionTimestamp !== undefined,
    };
  }
  if (pod.metadata.deletionTimestamp !== undefined) return infrastructure('it was deleted');
  return { code: 'WORKER_LOST', text: `it ended as ${status.phase ?? 'unknown'}`, elsewhere: true };
}

function infrastructure(text: string): PodEnd {
  return { code: 'WORKER_LOST', text, elsewhere: true };
}

function removedByForce(pod: Pod): PodEnd {
  return infrastructure(
    `it was removed by force: its node ${pod.spec?.nodeName ?? ''} was not asked, and nobody knows what became of its containers`,
  );
}

function nodeGone(pod: Pod): PodEnd {
  return infrastructure(
    `its node ${pod.spec?.nodeName ?? ''} does not answer any more, and nobody knows what became of it`,
  );
}

/** The server tells of itself when it hands over; its own exit is the cause only when nothing else is. */
function isFailure(name: string, exitCode: number | undefined): boolean {
  return exitCode !== undefined && exitCode !== 0 && !(name === containers.server && exitCode === 3);
}

function settingsName(container: string): string {
  if (container === containers.init) return 'initContainer';
  if (container === containers.server) return 'grpcServerContainer';
  if (container === containers.worker) return 'workerContainer';
  return ownContainers.includes(container) ? container : `… (container ${container})`;
}
