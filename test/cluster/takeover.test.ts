// Taking over from an operator that is there already: docs/kubernetes.md, "Coming from the existing operator", step by step
// on a real API server. The one before is our own chart with other defaults: what counts is who had installed what.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ulid } from 'ulid';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { annotations, finalizer, labels } from '../../protocol/kubernetes/names.js';
import { until } from '../launcher/support/until.js';
import { available } from '../support/skips.js';
import { actPods } from './support/acted-pods.js';
import { hasApiServer, startApiServer, type ApiServer } from './support/api-server.js';
import { createClient } from './support/client.js';
import { startCluster, type Cluster } from './support/cluster.js';

const run = promisify(execFile);
const helmProgram = resolve('.tools/bin/helm');
const what = 'taking over from another operator';
const there =
  hasApiServer(what) && available(what, existsSync(helmProgram), 'no helm (npm run test:tools builds it)');
const release = ['spacelift-workerpool-controller', '--namespace', 'spacelift-worker-controller-system'];
const pool = JSON.stringify({
  apiVersion: 'workers.spacelift.io/v1beta1',
  kind: 'WorkerPool',
  metadata: { name: 'builds' },
  spec: {
    token: { secretKeyRef: { name: 'builds', key: 'token' } },
    privateKey: { secretKeyRef: { name: 'builds', key: 'privateKey' } },
  },
});

describe.runIf(there)('a cluster with another operator', { timeout: 60_000 }, () => {
  let server: ApiServer;
  let folder: string;
  let manifestsBefore: string;

  const manifests = async (...words: string[]) =>
    (await run(process.execPath, ['scripts/manifests.mjs', ...words])).stdout;
  const ours = () => manifests('--image', 'registry.test/launcher:1');
  const helm = (...words: string[]) =>
    run(helmProgram, words, { env: { ...process.env, KUBECONFIG: server.kubeconfig.admin } });
  const install = (chart: string, as: readonly string[] = release, ...words: string[]) =>
    helm('upgrade', ...as, join(folder, chart), '--install', '--create-namespace', ...words);
  const older = (text: string) => text.replaceAll('default: 4200', 'default: 4000');
  const deadline = () =>
    server.kubectl([
      ...['get', 'crd', 'workerpools.workers.spacelift.io'],
      ...['-o', 'jsonpath={..activeDeadlineSeconds.default}'],
    ]);
  const isOurs = async () => {
    expect(await deadline()).toBe('4200');
    expect(await server.kubectl(['get', 'workerpools', '-o', 'name'])).toContain('/builds');
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-takeover-'));
    server = await startApiServer();
    await manifests('helm', '--out', join(folder, 'ours'), '--image', 'registry.test/launcher:1');
    await cp(join(folder, 'ours'), join(folder, 'theirs'), { recursive: true });
    const file = join(folder, 'theirs', 'templates', 'definitions.yaml');
    await writeFile(file, older(await readFile(file, 'utf8')));
    manifestsBefore = older(await ours());
  }, 120_000);
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await helm('uninstall', ...release, '--ignore-not-found');
    await server.kubectl(['delete', 'crd', '--all', '--wait=true']);
    await server.kubectl(['delete', 'clusterrole,clusterrolebinding', '-l', 'app.kubernetes.io/name']);
  });

  /** Installed by the one before, with a pool; its controller is removed then, as the page says. */
  async function before(how: () => Promise<unknown>): Promise<void> {
    await how();
    await server.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
    await server.kubectl(['apply', '-f', '-'], pool);
    expect(await deadline()).toBe('4000');
    const controller = 'spacelift-workerpool-controller-controller-manager';
    await server.kubectl(['delete', 'deployment', controller, ...release.slice(1)]);
  }
  const byKubectl = () => server.kubectl(['apply', '-f', '-'], manifestsBefore);

  test('that Helm had installed: the chart takes it over as the same release, and leaves the pools when it goes', async () => {
    await before(() => install('theirs'));
    await install('ours');
    await isOurs();
    await helm('uninstall', ...release);
    await isOurs();
  });

  test('that Helm had installed: the plain manifests conflict until they are forced', async () => {
    await before(() => install('theirs'));
    await expect(server.kubectl(['apply', '--server-side', '-f', '-'], await ours())).rejects.toThrow(
      /--force-conflicts/,
    );
    await server.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], await ours());
    await isOurs();
  });

  test('that kubectl had installed: the plain manifests take it over', async () => {
    await before(byKubectl);
    await server.kubectl(['apply', '--server-side', '-f', '-'], await ours());
    await isOurs();
  });

  test('that kubectl had installed: Helm takes it over as a release of its own, once the definitions are handed over', async () => {
    await before(byKubectl);
    await expect(install('ours')).rejects.toThrow(/invalid ownership metadata/);
    const definitions = await manifests('--crds-only');
    await server.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], definitions);
    await install('ours', ['pools', '--namespace', 'pools'], '--set', 'crds.install=false');
    await isOurs();
  });
});

describe.runIf(hasApiServer('workers of another operator'))(
  'workers of another operator',
  { timeout: 60_000 },
  () => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await startCluster(['--confirm-timeout=500ms']);
    }, 120_000);
    afterAll(() => cluster.close());

    /** As the operator before has made it: nothing keeps it when it is deleted. */
    const oldWorker = (uid: string) => ({
      apiVersion: 'workers.spacelift.io/v1beta1',
      kind: 'Worker',
      metadata: {
        name: `builds-${ulid().toLowerCase()}`,
        labels: { [labels.workerPool]: cluster.plane.pool },
        ownerReferences: [
          {
            apiVersion: 'workers.spacelift.io/v1beta1',
            kind: 'WorkerPool',
            ...{ name: 'builds', uid, controller: true, blockOwnerDeletion: true },
          },
        ],
      },
      spec: {},
    });

    test('go on as ours: one that has a run ends it first, whether it is deleted or scaled away', async () => {
      const pods = actPods(createClient(cluster.server));
      cluster.kubelet.fate = () => pods.fate;
      pods.letGo('default', 'running');
      await cluster.createPool('builds', 0, {});
      const uid = await cluster.server.kubectl([
        'get',
        'workerpool',
        'builds',
        '-o',
        'jsonpath={.metadata.uid}',
      ]);
      await cluster.apply(...Array.from({ length: 3 }, () => oldWorker(uid)));
      const before = await cluster.names('workers');
      await cluster.scale('builds', 3);
      await cluster.startController();
      await cluster.plane.idle(3);
      expect(await cluster.names('workers')).toEqual(before);
      const { items } = JSON.parse(await cluster.server.kubectl(['get', 'workers', '-o', 'json'])) as {
        items: object[];
      };
      const metadata = { finalizers: [finalizer], annotations: { [annotations.poolName]: 'builds' } };
      expect(items).toMatchObject([{ metadata }, { metadata }, { metadata }]);

      const made = [
        await cluster.triggerRun({ name: 'deleted' }, { runType: 'PROPOSED' }),
        await cluster.triggerRun({ name: 'scaled away' }, { runType: 'PROPOSED' }),
      ];
      await until(() => pods.seen('default').length === 2, 'two pods', 20_000);
      const busy = async () => {
        const text = await cluster.server.kubectl(['get', 'workers', '--no-headers']);
        return text.split('\n').filter((line) => line.includes('BUSY'));
      };
      await until(async () => (await busy()).length === 2, 'two workers to be busy', 20_000);
      const [name = ''] = (await busy())[0]?.split(' ') ?? [];
      await cluster.server.kubectl(['delete', 'worker', name, '--wait=false']);
      await cluster.scale('builds', 0);
      await cluster.count('workers', 2);
      pods.letGo('default', 'over');
      for (const one of made) await cluster.reached(one, 'FINISHED');
      expect(pods.seen('default')).toHaveLength(2);
      await cluster.count('workers', 0);
    });
  },
);
