// A pod that has not started, and still may: no node takes it, or its node does not get its containers ready. After a while
// the run's log says what the pod waits for, and again when that is something else; after a longer while its run ends.
import { messageOf } from '../../protocol/errors.js';
import { containers } from '../../protocol/kubernetes/names.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { WorkerApi } from '../run/worker-api.js';
import { paths, type KubeApi } from './api.js';
import { wordsOfEvents, type EventReason } from './events.js';
import type { Pod } from './objects.js';
import { statusOf, type PodEnd } from './pod-end.js';
import type { Patience } from './pod-watch.js';
import { append, isStale } from './report.js';

export interface Delay {
  /** A clause without a full stop. */
  readonly text: string;
  /** Whether a node has it: its events say more. */
  readonly placed: boolean;
  /** Whether nothing in the pod has begun to write the run's log. */
  readonly quiet: boolean;
}

/** What the pod waits for; undefined while it prepares the run, or once all that the run needs has started. */
export function delayOf(pod: Pod): Delay | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return undefined;
  const init = statusOf(pod, containers.init)?.state;
  const server = statusOf(pod, containers.server)?.state;
  if (server?.running !== undefined || server?.terminated !== undefined) {
    const waits = statusOf(pod, containers.worker)?.state?.waiting !== undefined;
    return waits ? { text: notReady(pod, containers.worker), placed: true, quiet: false } : undefined;
  }
  if (init?.running !== undefined) return undefined;
  if (init?.terminated !== undefined)
    return { text: notReady(pod, containers.server), placed: true, quiet: false };
  const unplaced = placelessness(pod);
  if (unplaced !== undefined) return { text: unplaced, placed: false, quiet: true };
  // Those of the pool's own, one after the other, and `init` behind them.
  const next = pod.status?.initContainerStatuses?.find(({ state }) => state?.terminated === undefined);
  const text =
    next?.state?.running === undefined
      ? notReady(pod, next?.name)
      : `its init container ${next.name} has not ended, and ${containers.init} comes after it`;
  return { text, placed: true, quiet: true };
}

function placelessness({ spec, status }: Pod): string | undefined {
  const scheduled = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') {
    const { reason = 'PodScheduled=False', message = '' } = scheduled;
    return `no node takes it (${reason})${message === '' ? '' : `: ${message}`}`;
  }
  if ((spec?.nodeName ?? '') !== '') return undefined;
  return `the scheduler ${spec?.schedulerName ?? 'of the cluster'} has not looked at it`;
}

function notReady(pod: Pod, name: string | undefined): string {
  const node = `its node ${pod.spec?.nodeName ?? ''}`;
  if (name === undefined) return `${node} has not begun with it`;
  const { reason = '', message = '' } = statusOf(pod, name)?.state?.waiting ?? {};
  const words = `${reason === '' ? '' : ` (${reason})`}${message === '' ? '' : `: ${message}`}`;
  return `${node} has not started its container ${name}${words}`;
}

export interface DelayOptions {
  readonly api: KubeApi;
  readonly run: string;
  readonly line: WorkerApi;
  /** Aborted when the attempt no longer counts. */
  readonly signal: AbortSignal;
  /** Whether an earlier controller may have waited for it. */
  readonly resumed: boolean;
  readonly record: (type: 'Warning', reason: EventReason<'Worker'>, message: string) => void;
  readonly patience: Patience;
  readonly clock: Clock;
  readonly log: Log;
  /** Unix milliseconds by the control plane's clock. */
  readonly now: () => number;
}

/** Milliseconds that the control plane has for a line: the pod is not looked at meanwhile. */
const lineWithin = 5_000;
/** Between two looks for something new, the interval grows to so many times the first one. */
const rarest = 4;

/** To be asked with every look at the pod. Answers why it is to be ended, once it has waited too long. Throws STALE_ATTEMPT. */
export function watchDelay(options: DelayOptions): (pod: Pod) => Promise<PodEnd | undefined> {
  const { clock, patience, run, log } = options;
  const told = new Set<string>();
  /** Milliseconds of waits that are over: what the pod did between them is its own. */
  let before: number | undefined;
  let since: number | undefined;
  let lookAgain = 0;
  let interval = patience.notice;

  return async (pod) => {
    const delay = delayOf(pod);
    const time = clock.monotonic();
    if (delay === undefined) {
      if (since !== undefined) before = (before ?? 0) + time - since;
      since = undefined;
      return undefined;
    }
    since ??= time;
    before ??= options.resumed ? waitedBefore(pod) : 0;
    const isOver = before + time - since >= patience.begin;
    if (!isOver && (time - since < patience.notice || time < lookAgain)) return undefined;
    lookAgain = time + interval;
    const words = delay.placed
      ? await wordsOfEvents(options.api, pod, { said: delay.text, orLast: true })
      : '';
    const text = `${withoutStop(delay.text)}.${words}`;
    if (isOver) {
      if (!(await stillWaits(pod))) return undefined;
      const minutes = patience.begin / 60_000;
      const within = Number.isInteger(minutes)
        ? `${String(minutes)} min`
        : `${String(patience.begin / 1000)} s`;
      return {
        code: 'ENGINE_UNAVAILABLE',
        text: `it has not started within ${within}: ${text}`,
        elsewhere: false,
      };
    }
    // Counts of nodes come and go.
    const what = text.replaceAll(/\d+/g, '#');
    if (!told.has(what) && (await tell(pod, text, delay.quiet))) {
      told.add(what);
      interval = Math.min(interval * 2, patience.notice * rarest);
    }
    return undefined;
  };

  /** What is in memory may be old: the API server may have been away for all that time. */
  async function stillWaits({ metadata }: Pod): Promise<boolean> {
    const path = `${paths.pods(metadata.namespace)}/${metadata.name}`;
    const now = await options.api.get<Pod>(path).catch((error: unknown) => {
      log.warn(`Run ${run}: pod ${metadata.name} cannot be looked at: ${messageOf(error)}`, { run });
      return undefined;
    });
    return now !== undefined && delayOf(now) !== undefined;
  }

  /** No more than half of what it may wait: the API server's clock may be another one. */
  function waitedBefore({ metadata }: Pod): number {
    const age = options.now() - Date.parse(metadata.creationTimestamp);
    return Math.min(Math.max(age, 0), patience.begin / 2);
  }

  /**
   * False when the control plane does not answer. Should `init` begin in the same moment, each passes over what the other
   * has sent under the number, which for `init` is that it prepares: no more than one record at a time may come from here.
   */
  async function tell({ metadata }: Pod, text: string, inLog: boolean): Promise<boolean> {
    const message = `Run ${run}: pod ${metadata.name} has not started: ${text}`;
    options.record('Warning', 'RunPodNotStarted', message);
    log.warn(message, { run });
    if (!inLog) return true;
    const late = new AbortController();
    const cancel = clock.after(lineWithin, () => {
      late.abort(new Error('the control plane does not answer'));
    });
    try {
      const entry = { line: `The pod of this run has not started yet: ${text}`, now: options.now() };
      const signal = AbortSignal.any([options.signal, late.signal]);
      await append(options.line, { state: 'PREPARING', ...entry }, signal);
      return true;
    } catch (error) {
      if (isStale(error)) throw error;
      log.warn(`The log of run ${run} does not say yet what its pod waits for: ${messageOf(error)}`, { run });
      return false;
    } finally {
      cancel();
    }
  }
}

function withoutStop(text: string): string {
  return text.trim().replace(/\.$/, '');
}
