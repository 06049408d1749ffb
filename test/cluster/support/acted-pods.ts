// The containers of run pods, acted: they say to the control plane and to the API server what real ones say, and get no
// further than they are let. No container runs, so a case takes a moment, and stands still where a test wants it.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseRunSecret, type LastWord } from '../../../launcher/kubernetes/pod/assignment-files.js';
import { proxiesOf } from '../../../launcher/kubernetes/proxies.js';
import { systemClock } from '../../../launcher/clock.js';
import { createWorkerApi, type WorkerApi } from '../../../launcher/run/worker-api.js';
import { containers } from '../../../protocol/kubernetes/names.js';
import { until } from '../../launcher/support/until.js';
import { recordedLog } from '../../launcher/support/log.js';
import type { Client, TestPod } from './client.js';
import type { Act, Kubelet } from './kubelet.js';

/** How far a pod has got. `running`: the run has begun; `ending`: its result is told; `over`: its containers have ended. */
export const points = ['pending', 'running', 'ending', 'over'] as const;
export type Point = (typeof points)[number];

export interface ActedPods {
  /** For the kubelet, of which it needs no more. */
  readonly fate: (pod: TestPod, node: Pick<Kubelet, 'setStatus'>) => Promise<void>;
  /** The same for pods that are deleted in mid-run. `answers`: whether their node says that it has ended them. */
  deletedInMidRun(how: { readonly answers: boolean; readonly conditions?: readonly object[] }): Act;
  /** Pods of the namespace, or the pod of that name, get that far from now on. Default: to their end. */
  letGo(which: string, upTo: Point): void;
  /** Waits until one of them has got there. */
  reached(which: string, point: Point): Promise<void>;
  /** Names, in the order in which they came. */
  seen(namespace: string): readonly string[];
}

/** The pod is being deleted, or gone already. */
class Deleted extends Error {
  constructor(readonly atOnce: boolean) {
    super('the pod was deleted');
  }
}

export function actPods(client: Client): ActedPods {
  const allowed = new Map<string, Point>();
  const got = new Map<string, Point>();
  /** Names of those whose node does not answer any more. */
  const silent = new Set<string>();
  const seen: TestPod[] = [];
  const untilDeleted = lookingAt(client);

  async function act(pod: TestPod, node: Pick<Kubelet, 'setStatus'>): Promise<void> {
    const { namespace, name } = pod.metadata;
    seen.push(pod);
    const deleted = new AbortController();
    const { signal } = deleted;
    const over = new AbortController();
    void untilDeleted(pod, over.signal).then((reason) => {
      if (reason !== undefined) deleted.abort(reason);
    });
    const at = { point: 'pending' as Point };
    const get = (point: Point) => {
      at.point = point;
      got.set(namespace, point).set(name, point);
    };
    const upTo = () => allowed.get(name) ?? allowed.get(namespace) ?? 'over';
    const may = async (point: Point) => {
      while (points.indexOf(upTo()) < points.indexOf(point)) {
        signal.throwIfAborted();
        await sleep(10);
      }
      signal.throwIfAborted();
    };
    try {
      await node.setStatus(pod, { phase: 'Pending' });
      get('pending');
      await may('running');
      const api = await apiOf(client, namespace, name, signal);
      await node.setStatus(pod, { phase: 'Running', ...statuses({ running: {} }) });
      await api.begin(signal);
      const first = (await api.sendSpool(Buffer.alloc(0), signal)) + 1;
      await say(api, signal, { n: first, k: 'state', s: 'INITIALIZING' });
      get('running');
      await may('ending');
      await say(
        api,
        signal,
        { n: first + 1, k: 'state', s: 'PLANNING' },
        { n: first + 2, k: 'result', outcome: 'finished', ...noResult },
      );
      get('ending');
      await may('over');
      await node.setStatus(pod, {
        phase: 'Succeeded',
        ...ended(0, { delivered: true, outcome: 'finished' }),
      });
      get('over');
    } catch (error) {
      const reason = signal.aborted ? (signal.reason as Error) : error;
      // Whoever deletes by force does not wait for the node, and the node says nothing more.
      if (reason instanceof Deleted && (reason.atOnce || silent.has(name))) return;
      await node.setStatus(pod, { phase: 'Failed', ...lastWords(reason, at.point) });
    } finally {
      over.abort();
    }
  }

  async function reached(which: string, point: Point): Promise<void> {
    const there = () => points.indexOf(got.get(which) ?? 'pending') >= points.indexOf(point);
    await until(() => got.has(which) && there(), `a pod of ${which} to be ${point}`, 120_000);
  }

  return {
    fate: act,
    deletedInMidRun:
      ({ answers, conditions }) =>
      async (pod, node) => {
        const { name } = pod.metadata;
        allowed.set(name, 'running');
        if (!answers) silent.add(name);
        const over = act(pod, node);
        await reached(name, 'running');
        if (conditions !== undefined) await node.setStatus(pod, { conditions });
        await node.remove(pod);
        await over;
      },
    letGo: (which, upTo) => allowed.set(which, upTo),
    reached,
    seen: (namespace) =>
      seen.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name),
  };
}

/** What all pods are at this moment: asked for by one, for all who act. */
function lookingAt(client: Client): (pod: TestPod, over: AbortSignal) => Promise<Deleted | undefined> {
  let looking: Promise<ReadonlyMap<string, TestPod>> | undefined;
  const look = () =>
    (looking ??= sleep(100)
      .then(() => client.pods())
      .then((pods) => new Map(pods.map((pod) => [pod.metadata.uid, pod])))
      .finally(() => (looking = undefined)));
  return async ({ metadata: { uid } }, over) => {
    while (!over.aborted) {
      const now = (await look()).get(uid)?.metadata;
      if (now === undefined || now.deletionGracePeriodSeconds === 0) return new Deleted(true);
      if (now.deletionTimestamp !== undefined) return new Deleted(false);
    }
    return undefined;
  };
}

/** By the run's Secret, for which a node waits before it starts the containers. */
async function apiOf(
  client: Client,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<WorkerApi> {
  const path = `/api/v1/namespaces/${namespace}/secrets/${name}`;
  for (;;) {
    signal.throwIfAborted();
    const found = await client.find<{ data: Record<string, string> }>(path);
    if (found !== undefined) {
      const data = Object.entries(found.data).map(([key, value]) => [key, atob(value)]);
      const { assignment } = parseRunSecret(Object.fromEntries(data) as Record<string, string>);
      return createWorkerApi({
        ...assignment.bulk,
        run: assignment.run,
        attempt: assignment.attempt,
        authorities: () => [],
        own: { authorities: [], now: () => Date.now() },
        proxies: proxiesOf({}),
        clock: systemClock,
        random: Math.random,
        log: recordedLog(),
      });
    }
    await sleep(100);
  }
}

const noResult = { code: null, message: null, changes: null, workspace: null, commit: null };

async function say(api: WorkerApi, signal: AbortSignal, ...records: readonly object[]): Promise<void> {
  const lines = records.map((record) => `${JSON.stringify({ t: Date.now(), ...record })}\n`);
  await api.sendSpool(Buffer.from(lines.join('')), signal);
}

const status = (name: string, state: object) => ({
  ...{ name, image: 'registry.test/x:1', imageID: '', ready: false, restartCount: 0 },
  state,
});

function statuses(state: object, server = state): object {
  return {
    initContainerStatuses: [status(containers.init, { terminated: { exitCode: 0, reason: 'Completed' } })],
    containerStatuses: [status(containers.server, server), status(containers.worker, state)],
  };
}

function ended(exitCode: number, word: LastWord, server = exitCode): object {
  const reason = exitCode === 0 ? 'Completed' : 'Error';
  return statuses(
    { terminated: { exitCode, reason } },
    { terminated: { exitCode: server, reason, message: JSON.stringify(word) } },
  );
}

/** Of a pod that is ended by its node, or by a run that no longer counts. */
function lastWords(reason: unknown, point: Point): object {
  if (!(reason instanceof Deleted)) return ended(143, { delivered: true, outcome: 'dropped' }, 1);
  if (point === 'pending') return {};
  if (point === 'running')
    return ended(143, { delivered: false, outcome: 'failed', state: 'INITIALIZING' }, 3);
  return ended(143, { delivered: true, outcome: 'finished' }, 0);
}
