// A control plane and an API server for one worker and its runs, which answer as a test says, and note who asked what when.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { KubeError, type KubeApi } from '../../../../launcher/kubernetes/api.js';
import type { Pod } from '../../../../launcher/kubernetes/objects.js';
import { createBulkClients } from '../../../../launcher/kubernetes/bulk-clients.js';
import { createMetrics } from '../../../../launcher/kubernetes/metrics.js';
import { proxiesOf } from '../../../../launcher/kubernetes/proxies.js';
import type { PodRunDependencies } from '../../../../launcher/kubernetes/pod-run.js';
import { recordedLog } from '../../support/log.js';
import { manualClock } from '../../support/manual-clock.js';
import { until } from '../../support/until.js';

export const worker = {
  metadata: {
    name: 'builds-w',
    namespace: 'ci',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
};

type Answer = 'ok' | 'refuses' | 'full' | 'terminating' | 'away';

export interface World {
  /** Steps that do not get on until they are released. */
  holding: readonly string[];
  secrets: Answer;
  pods: Answer;
  readonly accept: 'ok' | 'stale';
  readonly begun: boolean;
  /** Null: it runs until it is removed. */
  readonly podEnds: 'DeadlineExceeded' | 'Evicted' | null;
  /** That an earlier controller has made. */
  readonly pod: Pod | undefined;
  /** That takes the pod; empty for none. */
  readonly node: string;
  /** What the API server says of the pod instead. */
  podStatus: object | undefined;
  /** What it says of it to whoever asks, when its watch is behind. */
  podNow: object | undefined;
  /** Of the pod. */
  events: readonly object[];
}

/** What happens is in `steps`, in its order. A pod that is made ends at once, by `podEnds`. */
export async function openWorld(how: Partial<World>) {
  const steps: string[] = [];
  const results: string[] = [];
  const lines: string[] = [];
  const noted: string[] = [];
  let held: (() => void)[] = [];
  const state: World = {
    holding: [],
    secrets: 'ok',
    pods: 'ok',
    accept: 'ok',
    begun: false,
    podEnds: 'DeadlineExceeded',
    pod: undefined,
    node: '',
    podStatus: undefined,
    podNow: undefined,
    events: [],
    ...how,
  };
  const reached = async (step: string) => {
    steps.push(step);
    if (state.holding.includes(step)) await new Promise<void>((go) => held.push(go));
  };
  const plane = createServer((request, response) => {
    const call = request.url?.split('/').at(-1) ?? '';
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      for (const [, outcome = ''] of body.matchAll(/"k":"result","outcome":"(\w+)"/g)) results.push(outcome);
      for (const [, line = ''] of body.matchAll(/"k":"log",.*"m":"(.*)\\n"/g)) lines.push(line);
      void reached(call).then(() => {
        const refuse = (code: string) => response.writeHead(409).end(JSON.stringify({ code, message: code }));
        if (call === 'accept' && state.accept === 'stale') refuse('STALE_ATTEMPT');
        else if (call === 'reject' && state.begun) refuse('CONFLICT');
        else if (call === 'spool') response.end(JSON.stringify({ acknowledged: 0 }));
        else response.writeHead(204).end();
      });
    });
  }).listen(0, '127.0.0.1');
  await once(plane, 'listening');
  onTestFinished(() => {
    plane.closeAllConnections();
    plane.close();
  });

  const there = new Set<string>();
  let made = state.pod;
  const seen = (): Pod | undefined =>
    made === undefined ? undefined : { ...made, status: state.podStatus ?? endedBy(state.podEnds) };
  const kindOf = (path: string) => (path.includes('/secrets') ? 'secrets' : 'pods');
  const answer = (kind: 'secrets' | 'pods', write = false) => {
    if (state[kind] === 'away') throw new Error('connect ECONNREFUSED');
    if (write && state[kind] === 'full') throw new KubeError(403, 'Forbidden', 'exceeded quota');
    if (write && state[kind] === 'terminating')
      throw new KubeError(403, 'Forbidden', 'it is being terminated', ['NamespaceTerminating']);
    if (write && state[kind] === 'refuses') throw new KubeError(403, 'Forbidden', `${kind} are forbidden`);
  };
  const api: KubeApi = {
    get: (path) => {
      if (path.includes('/events')) {
        steps.push('look at events');
        return Promise.resolve({ items: state.events } as never);
      }
      const kind = kindOf(path);
      answer(kind);
      return Promise.resolve((kind === 'pods' ? (state.podNow ?? seen()) : undefined) as object as never);
    },
    list: () => Promise.reject(new Error('not used here')),
    async create(path, body) {
      const kind = kindOf(path);
      if (path.includes('/events')) return body as never;
      await reached(`create ${kind}`);
      answer(kind, true);
      there.add(kind);
      return { ...body, metadata: { ...(body as typeof worker).metadata, resourceVersion: '2' } } as never;
    },
    patch: () => Promise.resolve(undefined),
    removeFinalizer: () => Promise.resolve(there.has('secrets') ? (worker as never) : undefined),
    replace: () => Promise.reject(new Error('not used here')),
    async remove(path) {
      const kind = kindOf(path);
      await reached(`remove ${kind}`);
      answer(kind);
      there.delete(kind);
      if (kind === 'pods') made = undefined;
      return undefined;
    },
    requests: () => 0,
    close: () => undefined,
  };
  const clock = manualClock(Date.now());
  const endpoint = `http://127.0.0.1:${String((plane.address() as AddressInfo).port)}`;
  const deps: PodRunDependencies = {
    api,
    bulk: createBulkClients({ proxies: proxiesOf({}) }),
    recorder: { record: (_kind, _about, _type, reason, message) => noted.push(`${reason}: ${message}`) },
    metrics: createMetrics(() => []),
    clock,
    random: () => 0.5,
    log: recordedLog(),
    pods: {
      get: seen,
      note: (pod) => (made = { ...pod, spec: { ...pod.spec, nodeName: state.node } }),
    },
    launcherImage: 'launcher',
    patience: { start: 0, notice: 30_000, begin: 1_200_000, create: 60_000, confirm: 0 },
  };
  return {
    deps,
    clock,
    endpoint,
    steps,
    /** Outcomes that were told. */
    results,
    /** Of the run's log, from here. */
    lines,
    /** Events on the worker. */
    noted,
    state,
    there,
    /** As its node says it. */
    podBecomes: (status: object) => (state.podStatus = status),
    release: () => {
      state.holding = [];
      for (const go of held) go();
      held = [];
    },
    /** Lets time go by until it is so. */
    passing: (look: () => boolean, what: string) =>
      until(() => {
        clock.advance(250);
        return look();
      }, what),
  };
}

function endedBy(reason: World['podEnds']): object {
  if (reason !== null) return { phase: 'Failed', reason };
  return { phase: 'Running', containerStatuses: [{ name: 'launcher-grpc', state: { running: {} } }] };
}
