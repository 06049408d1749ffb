// Taking over from an operator that is there already: docs/kubernetes.md, "Coming from the existing operator", step by step
// on a real API server. The one before is our own chart with other defaults: what counts is who had installed what.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { available } from '../support/skips.js';
import { hasApiServer, startApiServer, type ApiServer } from './support/api-server.js';

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
