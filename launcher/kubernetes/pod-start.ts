// From an assignment to its pod: Secret and acceptance side by side, then the pod, tried again while the API server is away or
// a quota is full.
import { messageOf } from '../../protocol/errors.js';
import { createBackoff } from '../backoff.js';
import { sleep } from '../clock.js';
import type { WorkerApi } from '../run/worker-api.js';
import { KubeError } from './api.js';
import type { PodEnd } from './pod-end.js';
import type { PodRunDependencies } from './pod-run.js';
import type { RunObjects } from './run-objects.js';
import type { EventReason } from './events.js';
import { append } from './report.js';

/** Milliseconds without an answer of the API server until a run that has no pod yet is given back. */
const unanswered = 10_000;

export interface PodStartOptions extends Pick<
  PodRunDependencies,
  'metrics' | 'clock' | 'random' | 'log' | 'patience'
> {
  readonly run: string;
  readonly namespace: string;
  readonly objects: RunObjects;
  /** Whether the Secret is there from an earlier controller. */
  readonly hasSecret: boolean;
  /** By the monotonic clock: when the run was assigned. */
  readonly assignedAt: number;
  readonly line: WorkerApi;
  /** Aborted when the attempt no longer counts. */
  readonly signal: AbortSignal;
  /** Why somebody wants the run stopped; undefined while nobody does. */
  readonly stopped: () => string | undefined;
  /** False when the run has begun, and stays. */
  readonly giveBack: (reason: Pick<PodEnd, 'code'>, message: string) => Promise<boolean>;
  readonly record: (type: 'Normal' | 'Warning', reason: EventReason<'Worker'>, message: string) => void;
  /** Unix milliseconds by the control plane's clock. */
  readonly now: () => number;
}

/** Why there is no pod; undefined when there is one. */
export type PodStart = PodEnd | 'given back' | undefined;

/** Throws STALE_ATTEMPT. */
export async function startPod(options: PodStartOptions): Promise<PodStart> {
  const { run, namespace, objects, line, signal, record, clock, metrics } = options;
  let hasSecret = options.hasSecret;
  /** Milliseconds since the assignment. */
  const after = { accepted: 0, secret: 0 };
  const sinceAssigned = () => clock.monotonic() - options.assignedAt;
  await take();
  return objects.refusal() ?? makePod();

  /** Neither waits for the other; the pod waits for both. A Secret that cannot be made now is tried again with the pod. */
  async function take(): Promise<void> {
    const secretMade = makeSecret().catch(() => undefined);
    try {
      await line.accept(signal);
      after.accepted = sinceAssigned();
    } finally {
      // Only what is there can be removed.
      await secretMade;
    }
  }

  async function makeSecret(): Promise<void> {
    if (hasSecret) return;
    await objects.makeSecret();
    hasSecret = true;
    after.secret = sinceAssigned();
  }

  async function makePod(): Promise<PodStart> {
    const backoff = createBackoff({ base: 1000, ceiling: 15_000, random: options.random });
    let told = '';
    let unansweredSince: number | undefined;
    for (;;) {
      signal.throwIfAborted();
      const stopped = options.stopped();
      if (stopped !== undefined) return { code: 'RUN_STOPPED', text: stopped, elsewhere: false };
      try {
        await makeSecret();
        if (await objects.makePod()) noteMade();
        return undefined;
      } catch (error) {
        metrics.notCreated();
        const text = messageOf(error);
        record('Warning', 'RunPodNotCreated', `Run ${run}: ${text}`);
        const refusedBy = error instanceof KubeError && error.status < 500 ? error : undefined;
        if (refusedBy === undefined) {
          unansweredSince ??= clock.monotonic();
          if (clock.monotonic() - unansweredSince >= unanswered && (await giveBackUnmade(text)))
            return 'given back';
        } else {
          unansweredSince = undefined;
          // Nothing can be made there any more, for a reason that has nothing to do with the run.
          if (isNamespaceGone(refusedBy))
            return { code: 'ENGINE_UNAVAILABLE', text: `it cannot be made: ${text}`, elsewhere: true };
          const mayPass = refusedBy.status === 409 || /quota/i.test(text);
          if (!mayPass || sinceAssigned() > options.patience.create)
            return { code: 'ENGINE_UNAVAILABLE', text: `it cannot be made: ${text}`, elsewhere: false };
        }
        if (text !== told) await tell(`The pod of this run cannot be made yet, trying again: ${text}`);
        told = text;
        await sleep(clock, 500 + backoff.next(), signal);
      }
    }
  }

  function noteMade(): void {
    const took = sinceAssigned();
    metrics.created(took / 1000);
    options.log.info(
      `Pod ${namespace}/${objects.name} was created ${took.toFixed(1)} ms after its run was assigned ` +
        `(Secret after ${after.secret.toFixed(1)} ms, accepted after ${after.accepted.toFixed(1)} ms).`,
      { run },
    );
    record('Normal', 'RunPodCreated', `Run ${run}: created pod ${objects.name}.`);
  }

  /**
   * False when the run has begun: the pod is there then, although nobody has said so. Other workers of this cluster take no
   * run either while its API server is away.
   */
  function giveBackUnmade(text: string): Promise<boolean> {
    const message = `the API server of the cluster does not answer, so the pod ${namespace}/${objects.name} cannot be made: ${text}`;
    return options.giveBack({ code: 'ENGINE_UNAVAILABLE' }, message);
  }

  /** A line in the log of a run that has no pod yet. */
  async function tell(text: string): Promise<void> {
    await append(line, { state: 'PREPARING', line: text, now: options.now() }, signal);
  }
}

function isNamespaceGone({ status, causes, message }: KubeError): boolean {
  return causes.includes('NamespaceTerminating') || (status === 404 && message.startsWith('namespaces '));
}
