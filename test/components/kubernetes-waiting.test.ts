// waitForWorkers of a pool on Kubernetes, with a real control plane and workers that say where they are as a controller's do.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as pulumi from '@pulumi/pulumi';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubernetesWorkerPoolArgs } from '../../components/kubernetes/arguments.js';
import { KubernetesWorkerPool } from '../../components/kubernetes-worker-pool.js';
import { startControlPlane, type TestPlane } from '../support/control-plane.js';
import { deploy, valueOf } from './support/deployment.js';
import { kubernetes } from './support/kubernetes.js';

let folder: string;
let plane: TestPlane;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-test-'));
  plane = await startControlPlane(folder);
}, 120_000);
afterAll(async () => {
  await plane.close();
  await rm(folder, { recursive: true, force: true });
});

const args = (): KubernetesWorkerPoolArgs => ({
  namespace: 'ci',
  launcher: { image: 'registry.test/launcher:1' },
  waitForWorkers: {
    count: 1,
    endpoint: plane.url,
    apiKeyId: plane.key.id,
    apiKeySecret: pulumi.secret(plane.key.secret),
    workerPool: plane.pool,
  },
});

test('a deployment ends when a worker of the pool is there, and others do not count', async () => {
  const { token, privateKey } = plane;
  let pool: KubernetesWorkerPool | undefined;
  let ended = false;
  const deployed = deploy(() => {
    pool = new KubernetesWorkerPool('builds', { ...args(), token, privateKey });
  }, kubernetes).then(() => (ended = true));
  const where = (name: string, namespace: string) => ({
    SPACELIFT_METADATA_k8s_pool: name,
    SPACELIFT_METADATA_k8s_namespace: namespace,
  });
  await plane.startLauncher(where('builds', 'elsewhere'));
  await plane.startLauncher(where('other', 'ci'));
  await plane.idle(2);
  expect(ended).toBe(false);
  await plane.startLauncher(where('builds', 'ci'));
  await deployed;
  expect(await valueOf(pool!.poolName)).toEqual({ value: 'builds', secret: false });
}, 120_000);

test('a pool that the controller registers is not waited for: its id is not known', async () => {
  const apiCredentials = { secretName: 'key' };
  let error: unknown;
  await deploy(() => {
    try {
      new KubernetesWorkerPool('builds', { ...args(), apiCredentials });
    } catch (caught) {
      error = caught;
    }
  }, kubernetes);
  const { errors } = error as pulumi.InputPropertiesError;
  expect(errors.map(({ propertyPath }) => propertyPath)).toEqual(['waitForWorkers']);
});
