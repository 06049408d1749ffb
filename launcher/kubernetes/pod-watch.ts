// Watches the pod of a run until nothing of the run can happen in it any more.
import { sleep, type Clock } from '../clock.js';
import type { Pod } from './objects.js';
import { isOver, startProblem, type PodEnd } from './pod-end.js';

/** Milliseconds. */
export interface Patience {
  /** For an image that cannot be pulled: a registry may have a bad minute. */
  readonly start: number;
  /** For a pod to start, before anybody is told what it waits for. */
  readonly notice: number;
  /** For a pod to start at all: a cluster may have to get itself a node first. */
  readonly begin: number;
  /** For a quota that is full: other runs end. */
  readonly create: number;
  /** For a node to confirm that it has ended a pod, beyond the time that the pod has for it. */
  readonly confirm: number;
}

/** Milliseconds between two looks, when nothing is heard. */
const lookEvery = 1_000;

export interface Over {
  /** As it was seen last; undefined when it was never seen. */
  readonly last: Pod | undefined;
  /** It was removed without its node, or its node does not confirm. */
  readonly forced: boolean;
  /** What kept it from starting, when it was ended for that. */
  readonly problem?: PodEnd;
}

export interface WatchOptions {
  readonly look: () => Promise<Pod | undefined>;
  /** Deletes the pod, once. */
  readonly remove: () => Promise<void>;
  /** Whether it is to be ended. */
  readonly ending: () => boolean;
  /** Takes what wakes the watch before its time. */
  readonly onWake: (wake: () => void) => void;
  readonly observe: (pod: Pod) => void;
  /** Why a pod that does not start is to be ended; undefined while it may wait. */
  readonly delayed: (pod: Pod) => Promise<PodEnd | undefined>;
  readonly clock: Clock;
  readonly patience: Patience;
}

export async function untilOver(options: WatchOptions): Promise<Over> {
  const { clock, patience: limits } = options;
  let problem: PodEnd | undefined;
  let problemSince: number | undefined;
  let deletedSince: number | undefined;
  let last: Pod | undefined;
  const over = (forced: boolean): Over => ({ last, forced, ...(problem === undefined ? {} : { problem }) });
  for (;;) {
    const changed = new Promise<void>(options.onWake);
    const pod = await options.look();
    if (pod === undefined) return over(true);
    last = pod;
    options.observe(pod);
    if (isOver(pod)) return over(false);
    const trouble = startProblem(pod);
    if (trouble === undefined) {
      problemSince = undefined;
      const late = await options.delayed(pod);
      if (late !== undefined) {
        problem ??= late;
        await options.remove();
      }
    } else {
      problemSince ??= clock.monotonic();
      if (trouble.atOnce || clock.monotonic() - problemSince >= limits.start) {
        problem ??= trouble;
        await options.remove();
      }
    }
    if (options.ending()) await options.remove();
    if (pod.metadata.deletionTimestamp !== undefined) {
      deletedSince ??= clock.monotonic();
      if (clock.monotonic() - deletedSince >= confirmedWithin(pod, limits.confirm))
        return over((pod.spec?.nodeName ?? '') !== '');
    }
    const heard = new AbortController();
    await Promise.race([changed, sleep(clock, lookEvery, heard.signal)]);
    heard.abort();
  }
}

/** Milliseconds that the node of a pod that is being deleted has to say that it is done. */
function confirmedWithin({ metadata, spec }: Pod, more: number): number {
  const noNode = (spec?.nodeName ?? '') === '';
  // No node has it, or its node was not asked: nobody will confirm.
  if (noNode || metadata.deletionGracePeriodSeconds === 0) return 1000;
  return (metadata.deletionGracePeriodSeconds ?? 30) * 1000 + more;
}
