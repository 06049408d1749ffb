// One assignment on Kubernetes: Secret and accept → Pod → its end → the result, if nobody in the pod has told it. Secret and
// pod are all the state there is: another controller goes on from them. Where it finds neither, it says that the worker has
// no run, and the control plane gives the run to another one: nothing of it can have begun.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { containers } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import { createBackoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import { createWorkerApi, type WorkerApi } from '../run/worker-api.js';
import { KubeError, type KubeApi } from './api.js';
import type { BulkClients } from './bulk-clients.js';
import type { Collection } from './collections.js';
import { wordsOfEvents, type EventReason, type Recorder } from './events.js';
import type { Metrics } from './metrics.js';
import { keyOf, type Pod, type Worker } from './objects.js';
import type { LastWord, RunSecret } from './pod/assignment-files.js';
import { endOf, lastWordOf, statusOf, type PodEnd } from './pod-end.js';
import { untilOver, type Patience } from './pod-watch.js';
import { append, isStale, stale, type Verdict } from './report.js';
import { runObjects } from './run-objects.js';

/** Milliseconds without an answer of the API server until a run that has no pod yet is given back. */
const unanswered = 10_000;

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

export function startPodRun(deps: PodRunDependencies, request: PodRunRequest): PodRun {
  const { api, clock, log, recorder, metrics } = deps;
  const { worker, secret } = request;
  const { assignment } = secret;
  const { run, attempt } = assignment;
  const { namespace } = worker.metadata;
  const objects = runObjects({ ...deps, ...request });
  const { name } = objects;
  const limits = deps.patience;
  const started = clock.monotonic();
  const cut = new AbortController();
  let wake: () => void = () => undefined;
  let begun = request.resumed;
  let ending: RunEnd | undefined;
  let removing = false;
  let hasSecret = request.resumed;
  let givenBack = false;
  let seenRunning = request.resumed;

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
      if (end.kind === 'stale') cut.abort(stale());
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
      client: deps.bulk.to(assignment.bulk.endpoint, { authorities: secret.authorities, now: request.now }),
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
    if (!request.resumed || (await again(objects.pod)) === undefined) {
      begun = false;
      await take(line);
      const refused = await makePod(line);
      if (refused === 'given back') return 'dropped';
      if (refused !== undefined) return settle(line, refused);
    }
    const { last, forced, problem } = await untilOver({
      look: () => again(objects.pod),
      remove: () => again(removePod),
      ending: () => ending !== undefined,
      onWake: (next) => (wake = next),
      observe,
      clock,
      patience: limits,
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

  /** Neither waits for the other; the pod waits for both. A Secret that cannot be made now is tried again with the pod. */
  async function take(line: WorkerApi): Promise<void> {
    const secretMade = makeSecret().catch(() => undefined);
    try {
      await line.accept(cut.signal);
    } finally {
      // Only what is there can be removed.
      await secretMade;
    }
  }

  async function makeSecret(): Promise<void> {
    if (!hasSecret) await objects.makeSecret();
    hasSecret = true;
  }

  /** Makes the pod, or answers why it cannot be made, or that another worker has the run. */
  async function makePod(line: WorkerApi): Promise<PodEnd | 'given back' | undefined> {
    const refusal = objects.refusal();
    if (refusal !== undefined) return refusal;
    const backoff = createBackoff({ base: 1000, ceiling: 15_000, random: deps.random });
    let told = '';
    let unansweredSince: number | undefined;
    for (;;) {
      cut.signal.throwIfAborted();
      if (ending?.kind === 'stop') return { code: 'RUN_STOPPED', text: ending.reason, elsewhere: false };
      try {
        await makeSecret();
        if (await objects.makePod()) {
          const took = clock.monotonic() - started;
          metrics.created(took / 1000);
          log.info(`Pod ${namespace}/${name} was created ${took.toFixed(1)} ms after its run was assigned.`, {
            run,
          });
          record('Normal', 'RunPodCreated', `Run ${run}: created pod ${name}.`);
        }
        return undefined;
      } catch (error) {
        metrics.notCreated();
        const text = messageOf(error);
        record('Warning', 'RunPodNotCreated', `Run ${run}: ${text}`);
        const refusedBy = error instanceof KubeError && error.status < 500 ? error : undefined;
        if (refusedBy === undefined) {
          unansweredSince ??= clock.monotonic();
          if (clock.monotonic() - unansweredSince >= unanswered && (await giveBackUnmade(line, text)))
            return 'given back';
        } else {
          unansweredSince = undefined;
          const mayPass = refusedBy.status === 409 || /quota/i.test(text);
          if (!mayPass || clock.monotonic() - started > limits.create)
            return { code: 'ENGINE_UNAVAILABLE', text: `it cannot be made: ${text}`, elsewhere: false };
        }
        if (text !== told) await tell(line, `The pod of this run cannot be made yet, trying again: ${text}`);
        told = text;
        await sleep(clock, 500 + backoff.next(), cut.signal);
      }
    }
  }

  /**
   * False when the run has begun: the pod is there then, although nobody has said so. Other workers of this cluster take no
   * run either while its API server is away.
   */
  function giveBackUnmade(line: WorkerApi, text: string): Promise<boolean> {
    const message = `the API server of the cluster does not answer, so the pod ${namespace}/${name} cannot be made: ${text}`;
    return giveBack(line, { code: 'ENGINE_UNAVAILABLE' }, message);
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
    const stopped = ending?.kind === 'stop' ? ending.reason : undefined;
    const words = pod === undefined || stopped !== undefined ? '' : await wordsOfEvents(api, pod);
    const message =
      stopped === undefined ? `${where}: ${end.text.trim()}.${words}` : `The run was stopped: ${stopped}`;
    record('Warning', 'RunPodFailed', `Run ${run}: ${message}`);
    log.warn(message, { run });
    const verdict: Verdict =
      stopped === undefined
        ? { outcome: 'failed', code: end.code, message }
        : { outcome: 'stopped', code: 'RUN_STOPPED', message };
    if (stopped === undefined && end.elsewhere && (await giveBack(line, end, message))) return 'dropped';
    // Every run has been preparing: where nobody has said more, the line is found there.
    await append(
      line,
      { state: word?.state ?? 'PREPARING', line: message, verdict, now: request.now() },
      cut.signal,
    );
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

  /** A line in the log of a run that has no pod yet. */
  async function tell(line: WorkerApi, text: string): Promise<void> {
    await append(line, { state: 'PREPARING', line: text, now: request.now() }, cut.signal);
  }

  /** Until the API server has done it: it may be away for minutes. */
  async function again<Answer>(step: () => Promise<Answer>): Promise<Answer> {
    const backoff = createBackoff({ base: 500, ceiling: 10_000, random: deps.random });
    for (let count = 1; ; count += 1) {
      try {
        return await step();
      } catch (error) {
        if (error instanceof KubeError && error.status >= 400 && error.status < 500 && count >= 20)
          throw error;
        if (count === 1) log.warn(`${keyOf(worker)}: ${messageOf(error)}. Trying again.`, { run });
        await sleep(clock, 100 + backoff.next());
      }
    }
  }

  function record(type: 'Normal' | 'Warning', reason: EventReason<'Worker'>, message: string): void {
    recorder.record('Worker', worker, type, reason, message);
  }
}
