// The whole path on a real API server: a pool from a manifest, workers that register, runs in pods whose containers are
// real.
import * as z from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../launcher/support/until.js';
import { logOf } from '../support/control-plane.js';
import { hasRunnerImage } from '../support/runner-image.js';
import { hasApiServer } from './support/api-server.js';
import { startCluster, type Cluster } from './support/cluster.js';

const there = hasApiServer('Kubernetes pools') && hasRunnerImage('run pods');

describe.runIf(there)('a pool on Kubernetes', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.startController();
    await cluster.createPool('builds', 2, {});
  }, 180_000);
  afterAll(() => cluster.close());

  test('has workers that register and are shown', async () => {
    const table = await until(async () => {
      const text = await cluster.server.kubectl(['get', 'workers']);
      return text.match(/true +IDLE/g)?.length === 2 ? text : undefined;
    }, 'two idle workers');
    expect(table).toMatch(/^builds-[0-9a-z]{26} +builds +true +IDLE/m);
    expect(await cluster.server.kubectl(['get', 'workerpools'])).toMatch(/^builds +2 +2 +false/m);
    expect((await cluster.plane.workers()).map(({ metadata }) => metadata)).toContainEqual(
      expect.objectContaining({ k8s_pool: 'builds', k8s_namespace: 'default' }),
    );
  });

  test('takes a run through plan and apply in pods, which are gone afterwards', async () => {
    const made = await cluster.triggerRun({
      name: 'path',
      planCommands: ['echo planning as $(id -u) in $PWD', 'echo hello > made-by-plan'],
      applyCommands: ['cat made-by-plan', 'echo applied'],
    });
    await cluster.reached(made, 'UNCONFIRMED');
    expect(await logOf(cluster.plane, made.stack, made.run, 'PLANNING')).toContain(
      'planning as 1983 in /opt/spacelift/workspace/source',
    );
    await cluster.confirm(made);
    await cluster.reached(made, 'FINISHED');
    expect(await logOf(cluster.plane, made.stack, made.run, 'APPLYING')).toBe('hello\napplied\n');
    await until(async () => (await cluster.names('pods')).length === 0, 'the pods to be gone', 20_000);
    await cluster.noRunSecrets();
    expect(cluster.kubelet.seen.filter((name) => name.startsWith(made.run.toLowerCase()))).toEqual([
      expect.stringMatching(/^[0-9a-z]{26}-preparing-\d+$/),
      expect.stringMatching(/^[0-9a-z]{26}-applying-\d+$/),
    ]);
  });

  test('says by events what became of the pool, its workers and their runs', async () => {
    const [worker] = await cluster.plane.workers();
    for (const drain of [true, false]) await cluster.drain(worker?.id ?? '', drain);
    await cluster.server.kubectl(['scale', 'workerpools', 'builds', '--replicas=1']);
    const seen = await until(async () => {
      const reasons = await cluster.events();
      return reasons.has('WorkerPool ScaledDown') && reasons.has('Worker WorkerRemoved')
        ? reasons
        : undefined;
    }, 'events of a worker that is gone');
    expect([...seen].sort()).toEqual(
      [
        ...[
          'RunAssigned',
          'RunFinished',
          'RunPodCreated',
          'WorkerDrained',
          'WorkerRegistered',
          'WorkerRemoved',
        ],
        'WorkerUndrained',
      ]
        .map((reason) => `Worker ${reason}`)
        .concat(['ScaledDown', 'ScaledUp', 'WorkerPoolRegistered'].map((reason) => `WorkerPool ${reason}`)),
    );
    const words = await cluster.server.kubectl(['describe', 'workerpool', 'builds']);
    expect(words).toMatch(/Normal +ScaledUp .*Scaling up from 0 to 2 workers/);
  });

  test('says on the pool why it cannot register', async () => {
    await cluster.apply(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'wrong' },
        stringData: { token: 'not a token', privateKey: 'not a key' },
      },
      {
        apiVersion: 'workers.spacelift.io/v1beta1',
        kind: 'WorkerPool',
        metadata: { name: 'wrong' },
        spec: {
          token: { secretKeyRef: { name: 'wrong', key: 'token' } },
          privateKey: { secretKeyRef: { name: 'wrong', key: 'privateKey' } },
        },
      },
    );
    const words = await until(async () => {
      const text = await cluster.server.kubectl(['describe', 'workerpool', 'wrong']);
      return text.includes('WorkerPoolCannotRegister') ? text : undefined;
    }, 'an event on the pool');
    expect(words).toMatch(
      /workerpool-controller +Unable to register worker pool: cannot retrieve workerpool token/,
    );
    await cluster.server.kubectl(['delete', 'workerpool', 'wrong']);
  });

  test('is registered by the controller with API credentials, and removed with its object', async () => {
    const { key, url } = cluster.plane;
    await cluster.apply(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'api-key' },
        stringData: { keyId: key.id, keySecret: key.secret, endpoint: url },
      },
      {
        apiVersion: 'workers.spacelift.io/v1beta1',
        kind: 'WorkerPool',
        metadata: { name: 'registered' },
        spec: { description: 'made here', spaceliftAPICredentials: { secretKeyRef: { name: 'api-key' } } },
      },
    );
    await until(
      async () => /^registered +1 +1 +true/m.test(await cluster.server.kubectl(['get', 'workerpools'])),
      'the pool to be registered',
      60_000,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; the controller said ${cluster.said().slice(-3000)}`);
    });
    const id = await cluster.server.kubectl([
      ...[
        'get',
        'workerpool',
        'registered',
        '-o',
        'jsonpath={.metadata.labels.workers\\.spacelift\\.io/ulid}',
      ],
    ]);
    expect(await cluster.poolName(id)).toBe('registered');
    await cluster.patchPool('registered', {
      description: 'changed here',
      driftDetectionRunLimits: { maxRuns: 2 },
    });
    const limited = z.object({
      workerPool: z.object({ description: z.string(), driftDetectionRunLimit: z.int().nullable() }),
    });
    await until(async () => {
      const query = 'query ($id: ID!) { workerPool(id: $id) { description driftDetectionRunLimit } }';
      const { workerPool } = await cluster.plane.client.request(query, { id }, limited);
      return workerPool.description === 'changed here' && workerPool.driftDetectionRunLimit === 2;
    }, 'what was changed about the pool to reach the control plane');
    await cluster.server.kubectl(['delete', 'workerpool', 'registered', '--timeout=30s']);
    expect(await cluster.poolName(id)).toBeNull();
  }, 120_000);

  test('connects a hundred workers, and lets them go', async () => {
    await cluster.server.kubectl(['scale', 'workerpools', 'builds', '--replicas=100']);
    await until(async () => (await cluster.plane.workers()).length === 100, 'a hundred workers', 60_000);
    await cluster.server.kubectl(['scale', 'workerpools', 'builds', '--replicas=1']);
    await until(async () => (await cluster.plane.workers()).length === 1, 'one worker', 60_000);
    await until(async () => (await cluster.names('workers')).length === 1, 'one object');
  }, 150_000);
});
