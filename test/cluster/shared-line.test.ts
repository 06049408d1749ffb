// The workers of a pool share one line to the control plane. It breaks and freezes, the controller is killed, workers are
// drained, and all the while runs come: each ends once, is told once, and none is begun on a drained worker.
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import * as z from 'zod';
import { decodeToken, encodeToken } from '../../protocol/token.js';
import { startProxy, type Proxy } from '../launcher/support/proxy.js';
import { until } from '../launcher/support/until.js';
import { logOf } from '../support/control-plane.js';
import { freePort } from '../support/postgres.js';
import { hasRunnerImage } from '../support/runner-image.js';
import { hasApiServer } from './support/api-server.js';
import { startCluster, type Cluster } from './support/cluster.js';
import type { Fate } from './support/kubelet.js';

const there = hasApiServer('shared lines') && hasRunnerImage('shared lines');
const workersCount = 6;
/**
 * docs/kubernetes.md names it, too: Secret, pod, three events, two changes of status, the pod's own events, and the end of
 * each, which for the Secret takes two: it has a finalizer.
 */
const requestsPerRun = 12;

/** A pod whose init container fails right away: a run that costs no container. */
const fails: Fate = (pod, node) =>
  node.setStatus(pod, {
    phase: 'Failed',
    initContainerStatuses: [
      {
        name: 'init',
        image: 'x',
        imageID: '',
        ready: false,
        restartCount: 0,
        state: { terminated: { exitCode: 9, reason: 'Error' } },
      },
    ],
  });

describe.runIf(there)('the line that workers of a pool share', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  let proxy: Proxy;
  beforeAll(async () => {
    cluster = await startCluster(['--confirm-timeout=500ms', '--sync-period=1s']);
    const { plane } = cluster;
    proxy = await startProxy(Number(plane.controlPlane.brokerAddress.split(':').at(-1)));
    await cluster.startController();
    await cluster.createPool(
      'shared',
      workersCount,
      { failedPodsHistoryLimit: 100 },
      encodeToken({
        ...decodeToken(plane.token),
        broker: { endpoint: `ssl://127.0.0.1:${String(proxy.port)}` },
      }),
    );
  }, 180_000);
  afterAll(async () => {
    await cluster.close();
    await proxy.close();
  });

  const ids = async () => (await cluster.plane.workers()).map(({ id }) => id).sort();

  test('is one connection, and brings all of them back when it has broken', async () => {
    expect(proxy.taken()).toBe(1);
    const before = await ids();
    proxy.reset();
    await until(() => proxy.taken() === 2, 'another line', 20_000);
    await cluster.plane.idle(workersCount);
    expect(await ids()).toEqual(before);
  });

  test('may break, freeze and lose its controller while workers are drained and runs come', async () => {
    const long = await cluster.triggerRun({
      name: 'long',
      planCommands: ['echo begun; sleep 8; echo done'],
    });
    await cluster.logHas(long, 'PLANNING', 'begun');
    cluster.kubelet.fate = () => fails;
    onTestFinished(() => {
      cluster.kubelet.fate = () => 'run';
    });
    const workers = await ids();
    const made: { stack: string; run: string }[] = [];
    const trigger = async (count: number) => {
      for (let time = 0; time < count; time += 1)
        made.push(await cluster.triggerRun({ name: 'short', planCommands: ['true'] }));
    };
    /** Runs that were given to the worker while it was drained and had said that it has none. */
    const wrong: string[] = [];
    async function drained(worker: string, meanwhile: () => Promise<void>): Promise<void> {
      const busy = await drain(worker, true);
      const podsBefore = await podsOf(worker);
      await meanwhile();
      if (!busy) wrong.push(...(await podsOf(worker)).filter((pod) => !podsBefore.includes(pod)));
      await drain(worker, false);
    }
    const drain = async (id: string, value: boolean): Promise<boolean> => {
      const { workerDrainSet } = await cluster.plane.client.request(
        'mutation ($pool: ID!, $id: ID!, $drain: Boolean!) { workerDrainSet(workerPool: $pool, id: $id, drain: $drain) { busy } }',
        { pool: cluster.plane.pool, id, drain: value },
        z.object({ workerDrainSet: z.object({ busy: z.boolean() }) }),
      );
      return workerDrainSet.busy;
    };
    const podsOf = (worker: string) => cluster.names('pods', '-l', `workers.spacelift.io/worker=${worker}`);

    await drained(workers[0] ?? '', async () => {
      await trigger(6);
      proxy.reset();
      await trigger(6);
    });
    await drained(workers[1] ?? '', async () => {
      await trigger(4);
      await cluster.kill(cluster.controllers());
      await trigger(4);
      proxy.reset();
      await cluster.startController();
      await trigger(4);
    });
    await drained(workers[2] ?? '', async () => {
      await trigger(4);
      proxy.freeze();
      await trigger(4);
      await cluster.kill(cluster.controllers());
      await cluster.startController();
    });

    for (const one of made) {
      const run = await cluster.reached(one, 'FAILED');
      const notes = run.history.map(({ note }) => note ?? '');
      expect(notes.filter((note) => note.includes('exit code 9'))).toHaveLength(1);
    }
    expect(wrong).toEqual([]);
    await cluster.reached(long, 'UNCONFIRMED');
    expect(await logOf(cluster.plane, long.stack, long.run, 'PLANNING')).toMatch(/^begun\ndone\n/);
    await cluster.noRunSecrets();
    await cluster.plane.idle(workersCount);
    expect(await ids()).toEqual(workers);
  });

  test('costs the API server the same few requests for a run, however many workers are idle', async () => {
    const port = await freePort();
    cluster.kubelet.fate = () => fails;
    onTestFinished(() => {
      cluster.kubelet.fate = () => 'run';
    });
    // A run takes the place of another one among those that are kept.
    await cluster.patchPool('shared', { failedPodsHistoryLimit: 1 });
    await cluster.kill(cluster.controllers());
    await cluster.startController({
      options: [
        '--sync-period=1h',
        '--metrics-secure=false',
        `--metrics-bind-address=127.0.0.1:${String(port)}`,
      ],
    });
    await cluster.plane.idle(workersCount);

    const requests = async () => {
      const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text();
      return Number(/^spacelift_workerpool_controller_api_requests_total (\d+)$/m.exec(text)?.[1]);
    };
    /** Once nothing is under way. */
    const settled = async () => {
      for (let last = -1; ;) {
        const now = await requests();
        if (now === last) return now;
        last = now;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    };
    const ofRuns = async () => {
      const costs: number[] = [];
      for (let time = 0; time < 4; time += 1) {
        const before = await settled();
        await cluster.reached(
          await cluster.triggerRun({ name: 'counted', planCommands: ['true'] }),
          'FAILED',
        );
        await cluster.noRunSecrets();
        costs.push((await settled()) - before);
      }
      // Now and then another request of the controller's own falls into it.
      return Math.min(...costs);
    };
    expect(await ofRuns()).toBe(requestsPerRun);
    await cluster.scale('shared', 60);
    await cluster.plane.idle(60);
    expect(await ofRuns()).toBe(requestsPerRun);
  });
});
