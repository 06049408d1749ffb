// Whatever is deleted, and whatever its worker does then, with the controller there and away: the run ends once, with its
// true cause; no finalizer holds anything for ever; nothing is left. All cases at once, each in a namespace with a pool of
// its own, on one API server; pods are acted.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPool } from '../../control-plane/cli/api/pools.js';
import { getRun, triggerRun, type RunWithHistory } from '../../control-plane/cli/api/runs.js';
import { createStack } from '../../control-plane/cli/api/stacks.js';
import { listWorkers } from '../../control-plane/cli/api/workers.js';
import { group, labels, version } from '../../protocol/kubernetes/names.js';
import { generateKeyAndRequest } from '../../protocol/requests.js';
import { until as atOnce } from '../launcher/support/until.js';
import { actPods, type ActedPods } from './support/acted-pods.js';
import { hasApiServer } from './support/api-server.js';
import { createClient, type Client, type TestPod } from './support/client.js';
import { startCluster, type Cluster } from './support/cluster.js';
import { cases, expectedOf, type Case, type Expected } from './support/deletion-cases.js';
import { collectOf, deleteNamespace, removeByForce } from './support/garbage.js';

const there = hasApiServer('deletion in every state');

/** More would only wait for each other. */
async function someAtATime<One>(all: readonly One[], play: (one: One) => Promise<void>): Promise<void> {
  const left = [...all];
  const lane = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await play(one);
  };
  await Promise.all(Array.from({ length: 12 }, lane));
}

/** Many wait here for the same programs, which have other things to do than to answer them. */
function until<Value>(
  look: () => Value | undefined | false | Promise<Value | undefined | false>,
  what: string,
): Promise<Value> {
  return atOnce(
    async () => {
      const found = await look();
      if (found === undefined || found === false) await new Promise((resolve) => setTimeout(resolve, 150));
      return found;
    },
    what,
    120_000,
  );
}

describe.runIf(there)('deleting', { timeout: 240_000 }, () => {
  let cluster: Cluster;
  let client: Client;
  let pods: ActedPods;
  let key: Awaited<ReturnType<typeof generateKeyAndRequest>>;
  const outcomes = new Map<string, Promise<void>>();
  const titleOf = ({ target, state, away }: Case) => [target, state, away].join(' ');

  beforeAll(async () => {
    cluster = await startCluster(['--confirm-timeout=500ms', '--create-timeout=60s', '--sync-period=5s']);
    client = createClient(cluster.server);
    pods = actPods(client);
    cluster.kubelet.fate = () => pods.fate;
    key = await generateKeyAndRequest();
    await cluster.startController();
    await someAtATime(cases(false), async (one) => {
      await note(one, play(one));
    });
    await playAway();
  }, 600_000);
  afterAll(() => cluster.close());

  /** For the test of the case, which comes later. Resolves when it is over, however that is. */
  async function note(one: Case, outcome: Promise<void>): Promise<void> {
    outcomes.set(titleOf(one), outcome);
    await outcome.catch(() => undefined);
  }

  /** A case on its way. */
  interface Scene extends Case {
    readonly namespace: string;
    readonly pool: string;
    readonly worker: string;
    readonly stack: string;
    readonly run: string | undefined;
  }
  let scenes = 0;

  const inNamespace = (namespace: string, plural: string) =>
    plural.startsWith('worker')
      ? `/apis/${group}/${version}/namespaces/${namespace}/${plural}`
      : `/api/v1/namespaces/${namespace}/${plural}`;
  const namesOf = async (namespace: string, plural: string, selector = '') => {
    const query = new URLSearchParams({ labelSelector: selector });
    const path = `${inNamespace(namespace, plural)}?${query.toString()}`;
    const { items } = (await client.call('GET', path)) as { items: { metadata: { name: string } }[] };
    return items.map(({ metadata }) => metadata.name);
  };
  /** What is not being deleted yet of a namespace that is. */
  const stayingIn = async (namespace: string) => {
    const { status } =
      (await client.find<{ status: { phase: string } }>(`/api/v1/namespaces/${namespace}`)) ?? {};
    if (status?.phase === 'Active') return [namespace];
    const path = inNamespace(namespace, 'pods');
    const { items } = (await client.call('GET', path)) as { items: TestPod[] };
    return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  };
  const create = (namespace: string, plural: string, body: object) =>
    client.call('POST', inNamespace(namespace, plural), body);

  async function setUp(one: Case): Promise<Scene> {
    const { plane } = cluster;
    const namespace = `deletion-${String((scenes += 1))}`;
    await client.call('POST', '/api/v1/namespaces', { metadata: { name: namespace } });
    const { pool, token } = await createPool(plane.client, {
      name: namespace,
      certificateSigningRequest: key.request,
    });
    const reference = (name: string) => ({ secretKeyRef: { name: 'builds', key: name } });
    await create(namespace, 'secrets', {
      metadata: { name: 'builds' },
      stringData: { token, privateKey: btoa(key.privateKey) },
    });
    if (one.state === 'assigned') await fillQuota(namespace);
    await create(namespace, 'workerpools', {
      ...{ apiVersion: `${group}/${version}`, kind: 'WorkerPool', metadata: { name: 'builds' } },
      spec: {
        ...{ poolSize: 1, token: reference('token'), privateKey: reference('privateKey') },
        pod: { terminationGracePeriodSeconds: 1 },
      },
    });
    await idle(pool.id);
    const [worker = ''] = await namesOf(namespace, 'workers');
    const stack = await createStack(plane.client, {
      ...{ name: namespace, tool: 'commands', planCommands: ['true'], workerPool: pool.id },
      runnerImage: 'registry.test/runner:1',
    });
    const scene = { ...one, namespace, pool: pool.id, worker, stack: stack.id };
    if (one.state === 'idle') return { ...scene, run: undefined };
    pods.letGo(namespace, one.state === 'assigned' ? 'pending' : one.state);
    const { id } = await triggerRun(plane.client, { stack: stack.id, runType: 'PROPOSED' });
    if (one.state === 'assigned') await until(async () => hasRunSecret(namespace), 'the Secret');
    else await pods.reached(namespace, one.state);
    return { ...scene, run: id };
  }

  const idle = (pool: string) =>
    until(async () => {
      const workers = await listWorkers(cluster.plane.client, pool);
      return workers.length === 1 && workers[0]?.status === 'IDLE';
    }, 'one idle worker');
  const runSecrets = (namespace: string) => namesOf(namespace, 'secrets', labels.run);
  const hasRunSecret = async (namespace: string) => (await runSecrets(namespace)).length > 0;

  /** Nobody counts here, so the quota's use is written by hand. */
  async function fillQuota(namespace: string): Promise<void> {
    const hard = { pods: '0' };
    await create(namespace, 'resourcequotas', { metadata: { name: 'full' }, spec: { hard } });
    const path = `${inNamespace(namespace, 'resourcequotas')}/full/status`;
    await client.call('PATCH', path, { status: { hard, used: hard } }, 'application/merge-patch+json');
  }

  /** What comes of the deletion only once the controller is there is in the answer. */
  async function deleteIt({ target, namespace, worker }: Scene): Promise<() => Promise<void>> {
    const path = (plural: string, name: string) => `${inNamespace(namespace, plural)}/${name}`;
    const nothing = () => Promise.resolve();
    switch (target) {
      case 'pool':
        await client.call('DELETE', path('workerpools', 'builds'));
        return nothing;
      case 'pool by force':
        await removeByForce(client, path('workerpools', 'builds'));
        await client.call('DELETE', path('workers', worker));
        return nothing;
      case 'worker':
        await client.call('DELETE', path('workers', worker));
        return nothing;
      case 'worker by force':
        await removeByForce(client, path('workers', worker));
        await collectOf(client, namespace, worker.slice(-26).toUpperCase());
        return nothing;
      case 'pod':
      case 'pod by force': {
        const body = target === 'pod' ? {} : { gracePeriodSeconds: 0 };
        for (const name of await namesOf(namespace, 'pods', labels.run))
          await client.call('DELETE', path('pods', name), body);
        return nothing;
      }
      case 'Secret of the pool':
        await client.call('DELETE', path('secrets', 'builds'));
        return nothing;
      case 'Secret of the run':
        for (const name of await runSecrets(namespace)) await client.call('DELETE', path('secrets', name));
        return nothing;
      case 'namespace':
      case 'namespace all at once': {
        const gone = deleteNamespace(client, namespace, target === 'namespace');
        gone.catch(() => undefined);
        await until(async () => (await stayingIn(namespace)).length === 0, 'everything to be on its way');
        return () => gone;
      }
    }
  }

  /** Whatever held the run back does so no longer. */
  async function letGo({ namespace, state, target }: Scene): Promise<void> {
    pods.letGo(namespace, 'over');
    const quota = `${inNamespace(namespace, 'resourcequotas')}/full`;
    if (state === 'assigned' && !target.startsWith('namespace')) await client.call('DELETE', quota);
  }

  async function play(one: Case): Promise<void> {
    const scene = await setUp(one);
    const rest = await deleteIt(scene);
    // Deleted while it stands still: what follows must not be the run's own end.
    if (one.state !== 'idle') await new Promise((resolve) => setTimeout(resolve, 500));
    await letGo(scene);
    await rest();
    await check(scene);
  }

  async function playAway(): Promise<void> {
    const set: Scene[] = [];
    await someAtATime(cases(true), async (one) => {
      await note(
        one,
        setUp(one).then((scene) => {
          set.push(scene);
        }),
      );
    });
    await cluster.kill(cluster.controllers());
    const rests = await Promise.all(set.map(deleteIt));
    await new Promise((resolve) => setTimeout(resolve, 500));
    await Promise.all(set.map(letGo));
    await cluster.startController();
    for (const [index, scene] of set.entries()) {
      void note(
        scene,
        (rests[index]?.() ?? Promise.resolve()).then(() => check(scene)),
      );
    }
    await Promise.allSettled(outcomes.values());
  }

  async function check(scene: Scene): Promise<void> {
    const { namespace, pool, run, stack, target } = scene;
    const expected = expectedOf(scene);
    if (run !== undefined && expected !== undefined) await comesTo(stack, run, expected, namespace);
    const gone = target.startsWith('pool') || target.startsWith('namespace');
    // Key and token went with it: nobody can take leave of the control plane, which waits for the time to return.
    const forgotten = scene.away && scene.state === 'idle' && target !== 'pool';
    const left = async () => [
      ...(await namesOf(namespace, 'pods')),
      ...(await runSecrets(namespace)),
      ...(gone ? await namesOf(namespace, 'workers') : []),
      ...(gone ? await namesOf(namespace, 'workerpools') : []),
      ...(gone && !forgotten ? (await listWorkers(cluster.plane.client, pool)).map(({ id }) => id) : []),
    ];
    const what = { left: [] as string[] };
    await until(async () => (what.left = await left()).length === 0, 'nothing to be left').catch(
      (error: unknown) => {
        throw new Error(`${String(error)}: there is ${what.left.join(', ')}`);
      },
    );
    if (gone) return;
    if (target === 'worker' || target === 'worker by force')
      await until(async () => {
        const names = await namesOf(namespace, 'workers');
        return names.length === 1 && names[0] !== scene.worker;
      }, 'another worker');
    if (target === 'Secret of the pool') {
      const events = async () =>
        (await cluster.server.kubectl(['get', 'events', '-n', namespace])).split('\n');
      const told = async () => (await events()).some((line) => line.includes('WorkerPoolCannotRegister'));
      await until(told, 'the pool to say that it cannot register');
    } else if (!(target === 'worker by force' && scene.away)) await idle(pool);
  }

  async function comesTo(stack: string, run: string, expected: Expected, namespace: string): Promise<void> {
    let last: RunWithHistory | undefined;
    await until(async () => {
      last = await getRun(cluster.plane.client, stack, run);
      return expected.state === 'waits'
        ? last.state === 'QUEUED' && last.worker === null && last.attempt > 0
        : last.finished;
    }, `the run to be ${expected.state}`).catch((error: unknown) => {
      throw new Error(`${String(error)}; it is ${JSON.stringify(last)}`);
    });
    const history = last?.history ?? [];
    if (expected.state !== 'waits') expect(last?.state).toBe(expected.state);
    expect(history.filter(({ terminal }) => terminal)).toHaveLength(expected.state === 'waits' ? 0 : 1);
    if (expected.cause !== undefined) {
      const notes = history.map(({ note }) => note ?? '').filter((note) => expected.cause?.test(note));
      expect(notes, JSON.stringify(history)).toHaveLength(1);
    }
    expect(pods.seen(namespace)).toHaveLength(expected.pods ?? 1);
  }

  describe('while the controller is there', () => {
    test.each(cases(false))('the $target while the worker is $state', async (one) => {
      await outcomes.get(titleOf(one));
    });
  });

  describe('while the controller is away', () => {
    test.each(cases(true))('the $target while the worker is $state', async (one) => {
      const outcome = outcomes.get(titleOf(one));
      expect(outcome).toBeDefined();
      await outcome;
    });
  });
});
