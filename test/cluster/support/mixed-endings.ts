// Every ending of a run pod that people ask about, as the node of the pod tells it, and what the run comes to. Nothing is
// executed, so that many runs can go through them at once.
import type { ActedPods } from './acted-pods.js';
import type { Fate } from './kubelet.js';

export interface Ending {
  readonly fate: Fate;
  /** What the run comes to. One that another worker may do better with comes through there. */
  readonly state: 'FINISHED' | 'FAILED';
  /** What one entry of its history says; null when there is nothing to say. */
  readonly cause: RegExp | null;
}

const container = (name: string, state: object) => ({
  ...{ name, image: 'registry.test/x:1', imageID: '', ready: false, restartCount: 0 },
  state,
});
const ended = (name: string, exitCode: number, reason: string) =>
  container(name, { terminated: { exitCode, reason } });
const waiting = (name: string, reason: string) =>
  container(name, { waiting: { reason, message: 'no such image' } });
const initDone = [ended('init', 0, 'Completed')];
const target = (reason: string) => [
  { type: 'DisruptionTarget', status: 'True', reason, message: 'by a test' },
];
const says =
  (status: object): Fate =>
  (pod, node) =>
    node.setStatus(pod, status);

export function mixedEndings(acted: ActedPods): readonly Ending[] {
  const fails = (status: object, cause: RegExp): Ending => ({ fate: says(status), state: 'FAILED', cause });
  const comesThrough = (fate: Fate, cause: RegExp): Ending => ({ fate, state: 'FINISHED', cause });
  return [
    { fate: acted.fate, state: 'FINISHED', cause: null },
    fails({ phase: 'Failed', initContainerStatuses: [ended('init', 9, 'Error')] }, /exit code 9 \(Error\)/),
    fails(
      { phase: 'Failed', initContainerStatuses: [ended('init', 137, 'OOMKilled')] },
      /init was ended.*OOMKilled/,
    ),
    fails(
      {
        phase: 'Failed',
        initContainerStatuses: initDone,
        containerStatuses: [ended('launcher-grpc', 3, 'Error'), ended('worker', 137, 'OOMKilled')],
      },
      /worker was ended.*OOMKilled/,
    ),
    fails(
      {
        phase: 'Pending',
        initContainerStatuses: initDone,
        containerStatuses: [waiting('worker', 'ImagePullBackOff')],
      },
      /worker cannot be started from the image .*ImagePullBackOff/,
    ),
    fails(
      { phase: 'Pending', initContainerStatuses: [waiting('init', 'InvalidImageName')] },
      /init cannot be started from the image .*InvalidImageName/,
    ),
    fails({ phase: 'Failed', reason: 'DeadlineExceeded' }, /longer than spec\.pod\.activeDeadlineSeconds/),
    {
      fate: {
        unplaced: (pod, node) =>
          node.setStatus(pod, {
            phase: 'Pending',
            conditions: [
              { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' },
            ],
          }),
      },
      state: 'FAILED',
      cause: /has not started within .* no node takes it \(Unschedulable\): no room/,
    },
    { fate: acted.deletedInMidRun({ answers: true }), state: 'FAILED', cause: /it was deleted/ },
    {
      fate: acted.deletedInMidRun({ answers: false }),
      state: 'FAILED',
      cause: /its node node-1 does not answer any more/,
    },
    comesThrough(
      says({ phase: 'Failed', reason: 'Evicted', message: 'too full' }),
      /it was evicted: too full/,
    ),
    comesThrough(
      says({ phase: 'Failed', conditions: target('EvictionByEvictionAPI') }),
      /ended by the cluster \(EvictionByEvictionAPI\)/,
    ),
    comesThrough(
      says({ phase: 'Failed', conditions: target('PreemptionByScheduler') }),
      /ended by the cluster \(PreemptionByScheduler\)/,
    ),
    comesThrough(async (pod, node) => {
      await node.setStatus(pod, { phase: 'Unknown', reason: 'NodeLost' });
      await node.remove(pod);
    }, /its node node-1 does not answer any more/),
    comesThrough(async (pod, node) => {
      await node.setStatus(pod, { phase: 'Pending' });
      await node.confirm(pod);
    }, /it was removed by force/),
  ];
}
