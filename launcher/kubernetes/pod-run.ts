// One assignment on Kubernetes: Secret and accept → Pod → its end → the result, if nobody in the pod has told it. Secret and
// pod are all the state there is: another controller goes on from them. Where it finds neither, it says that the worker has
// no run, and the control plane gives the run to another one: nothing of it can have begun.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { containers } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { createWorkerApi, type WorkerApi } from '../run/worker-api.js';
import type { KubeApi } from './api.js';
import type { BulkClients } from './bulk-clients.js';
import type { Collection } from './collections.js';
import { wordsOfEvents, type EventReason, type Recorder } from './events.js';
import type { Metrics } from './metrics.js';
import { keyOf, type Pod, type Worker } from './objects.js';
import type { LastWord, RunSecret } from './pod/assignment-files.js';
import { watchDelay } from './pod-delay.js';
import { endOf, lastWordOf, statusOf, type PodEnd } from './pod-end.js';
import { startPod } from './pod-start.js';
import { untilOver, type Patience } from './pod-watch.js';
import { append, isStale, stale, type Verdict } from './report.js';
import { runObjects } from './run-objects.js';
import { untilDone } from './until-done.js';

export interface PodRunDependencies {
  readonly api: KubeApi;
  readonly recorder: Recorder;
  readonly metrics: Metrics;
  readonly bulk: BulkClients;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** In memory. */
  readonly pods: Pick<Collection<Pod>, 'get' | 'note'>;
  /** Image of `init` and `launcher-grpc` where the pool names none. */
  readonly launcherImage: string;
  readonly patience: Patience;
}

export interface PodRunRequest {
  readonly worker: Worker;
  readonly workerId: string;
  readonly secret: RunSecret;
  readonly spec: WorkerPoolSpec;
  /** Whether Secret and perhaps pod are there from an earlier controller. */
  readonly resumed: boolean;
  /** Unix milliseconds by the control plane's clock. */
  readonly now: () => number;
}

export type RunEnd =
  /** A person or a deadline wants it ended. */
  | { readonly kind: 'stop'; readonly reason: string }
  /** The attempt no longer counts: nothing is told. */
  | { readonly kind: 'stale' };

export interface PodRun {
  readonly run: string;
  readonly attempt: number;
  readonly begun: boolean;
  /** Another worker may have it; what is left of it here is being removed. */
  readonly givenBack: boolean;
  end(end: RunEnd): void;
  /** Something of its pod has changed. */
  podChanged(): void;
  /** Resolves when the result is told and only kept pods are left. Never rejects. */
  readonly done: Promise<void>;
}

/** Milliseconds that a pod has to end by itself when its run no longer counts: one that has told its result is about to. */
const endsItself = 5_000;

export function startPodRun(deps: PodRunDependencies, request: PodRunRequest): PodRun {
  const { api, clock, log, recorder, metrics } = deps;
  const { worker, secret, resumed, now } = request;
  const { assignment } = secret;
  const { run, attempt } = assignment;
  const { namespace } = worker.metadata;
  const objects = runObjects({ ...deps, ...request });
  const { name } = objects;
  const started = clock.monotonic();
  const cut = new AbortController();
  let wake: () => void = () => undefined;
  let begun = resumed;
  let ending: RunEnd | undefined;
  let staleSince = Infinity;
  let removing = false;
  let givenBack = false;
  let seenRunning = resumed;

  const podRun: PodRun = {
    run,
    attempt,
    get begun() {
      return begun;
    },
    get givenBack() {
      return givenBack;
    },
    end(end) {
      if (ending?.kind === 'stale') return;
      ending = end.kind === 'stale' ? end : (ending ?? end);
      if (end.kind === 'stale') {
        staleSince = clock.monotonic();
        cut.abort(stale());
      }
      wake();
    },
    podChanged() {
      wake();
    },
    done: live().catch((error: unknown) => {
      log.error(`Run ${run} could not be brought to its end: ${messageOf(error)}`, { run });
    }),
  };
  return podRun;

  async function live(): Promise<void> {
    const line = createWorkerApi({
      ...assignment.bulk,
      run,
      attempt,
      client: deps.bulk.to(assignment.bulk.endpoint, { authorities: secret.authorities, now }),
      clock,
      random: deps.random,
      log,
    });
    let outcome: LastWord['outcome'] = 'dropped';
    try {
      outcome = await work(line);
    } catch (error) {
      if (!isStale(error)) throw error;
      log.info(`Attempt ${String(attempt)} of run ${run} no longer counts.`, { run });
      const pod = await objects.pod();
      const word = pod === undefined ? undefined : lastWordOf(pod);
      outcome = word?.delivered === true ? word.outcome : 'dropped';
    } finally {
      line.close();
      await again(() => objects.cleanUp(outcome));
    }
  }

  async function work(line: WorkerApi): Promise<LastWord['outcome']> {
    if (!resumed || (await again(objects.pod)) === undefined) {
      begun = false;
      const none = await startPod({
        ...deps,
        ...{ run, namespace, objects, line, record, now },
        hasSecret: resumed,
        assignedAt: started,
        signal: cut.signal,
        stopped,
        giveBack: (reason, message) => giveBack(line, reason, message),
      });
      if (none === 'given back') return 'dropped';
      if (none !== undefined) return settle(line, none);
    }
    const { last, forced, problem } = await untilOver({
      look: () => again(objects.pod),
      remove: () => again(removePod),
      ending: () =>
        ending !== undefined &&
        (ending.kind === 'stop' || !begun || clock.monotonic() - staleSince >= endsItself),
      onWake: (next) => (wake = next),
      observe,
      delayed: watchDelay({ ...deps, ...{ run, line, record, resumed, now }, signal: cut.signal }),
      clock,
      patience: deps.patience,
    });
    const word = last === undefined ? undefined : lastWordOf(last);
    if (word?.delivered === true) {
      record('Normal', 'RunFinished', `Run ${run}: pod ${name} ended, ${word.outcome}.`);
      return word.outcome;
    }
    cut.signal.throwIfAborted();
    const end = problem ?? endOf(last, forced);
    return settle(line, end, last, word);
  }

  function observe(pod: Pod): void {
    const server = statusOf(pod, containers.server)?.state;
    begun = server?.running !== undefined || server?.terminated !== undefined;
    if (seenRunning || pod.status?.phase !== 'Running') return;
    seenRunning = true;
    metrics.running((clock.monotonic() - started) / 1000);
  }

  async function removePod(): Promise<void> {
    if (removing) return;
    await objects.removePod();
    removing = true;
  }

  // ——— the end

  async function settle(
    line: WorkerApi,
    end: PodEnd,
    pod?: Pod,
    word?: LastWord,
  ): Promise<LastWord['outcome']> {
    const where = `Pod ${namespace}/${name}`;
    const reason = stopped();
    const words =
      pod === undefined || reason !== undefined ? '' : await wordsOfEvents(api, pod, { said: end.text });
    const message =
      reason === undefined ? `${where}: ${end.text.trim()}.${words}` : `The run was stopped: ${reason}`;
    record('Warning', 'RunPodFailed', `Run ${run}: ${message}`);
    log.warn(message, { run });
    const verdict: Verdict =
      reason === undefined
        ? { outcome: 'failed', code: end.code, message }
        : { outcome: 'stopped', code: 'RUN_STOPPED', message };
    if (reason === undefined && end.elsewhere && (await giveBack(line, end, message))) return 'dropped';
    // Every run has been preparing: where nobody has said more, the line is found there.
    await append(line, { state: word?.state ?? 'PREPARING', line: message, verdict, now: now() }, cut.signal);
    return verdict.outcome;
  }

  /** Another worker may do better, if no command has run. */
  async function giveBack(
    line: WorkerApi,
    { code }: Pick<PodEnd, 'code'>,
    message: string,
  ): Promise<boolean> {
    try {
      // Once it is, the worker may be given the next run before the answer is here.
      givenBack = true;
      await line.reject({ code, message }, cut.signal);
      return true;
    } catch (error) {
      if (!(error instanceof PoolwrightError) || error.code !== 'CONFLICT') throw error;
      givenBack = false;
      return false;
    }
  }

  function stopped(): string | undefined {
    return ending?.kind === 'stop' ? ending.reason : undefined;
  }

  function again<Answer>(step: () => Promise<Answer>): Promise<Answer> {
    return untilDone({ ...deps, what: keyOf(worker), run }, step);
  }

  function record(type: 'Normal' | 'Warning', reason: EventReason<'Worker'>, message: string): void {
    recorder.record('Worker', worker, type, reason, message);
  }
}
