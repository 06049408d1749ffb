// A WorkerPool that the controller has registered is deleted.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import type { KubeApi } from '../../../launcher/kubernetes/api.js';
import { createMetrics } from '../../../launcher/kubernetes/metrics.js';
import type { WorkerPool } from '../../../launcher/kubernetes/objects.js';
import { createPools } from '../../../launcher/kubernetes/pools.js';
import { proxiesOf } from '../../../launcher/kubernetes/proxies.js';
import { finalizer } from '../../../protocol/kubernetes/names.js';
import { manualClock } from '../support/manual-clock.js';
import { recordedLog } from '../support/log.js';

const pool: WorkerPool = {
  metadata: {
    name: 'builds',
    namespace: 'ci',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    deletionTimestamp: '2026-01-02T00:00:00Z',
    finalizers: [finalizer],
  },
  spec: {},
};

it('stays until the control plane has been asked to remove the pool, and then goes', async () => {
  let serving = false;
  const asked: string[] = [];
  const controlPlane = createServer((request, response) => {
    if (!serving) {
      response.destroy();
      return;
    }
    request.setEncoding('utf8').on('data', (text: string) => {
      asked.push(text);
      response.end(JSON.stringify({ data: { apiKeyUser: { jwt: 'j' }, workerPoolDelete: { id: 'p' } } }));
    });
  }).listen(0, '127.0.0.1');
  await once(controlPlane, 'listening');
  const endpoint = `http://127.0.0.1:${String((controlPlane.address() as AddressInfo).port)}`;

  const secrets: Record<string, Record<string, string>> = {
    'builds-registration': { token: 'none', privateKey: 'none', id: 'p' },
    key: { keyId: 'k', keySecret: 's', endpoint },
  };
  const removed: string[] = [];
  const patched: object[] = [];
  const unused = () => Promise.reject(new Error('not used here'));
  const api: KubeApi = {
    get: <Item>(path: string) => {
      const values = Object.entries(secrets[path.split('/').at(-1) ?? ''] ?? {});
      const data = Object.fromEntries(values.map(([name, text]) => [name, btoa(text)]));
      return Promise.resolve({ data } as Item);
    },
    patch: (path, body) => {
      if (path.endsWith('/builds')) patched.push(body);
      return Promise.resolve(undefined);
    },
    remove: (path) => {
      removed.push(path);
      return Promise.resolve(undefined);
    },
    list: unused,
    create: unused,
    replace: unused,
    requests: () => 0,
    close: () => undefined,
  };
  const pools = createPools({
    api,
    recorder: { record: () => undefined },
    metrics: createMetrics(() => []),
    proxies: proxiesOf({}),
    clock: manualClock(),
    random: () => 0.5,
    log: recordedLog(),
    leads: () => true,
    version: '1',
    launcherImage: 'image',
    ownKey: { namespace: 'ci', name: 'key' },
    requeue: () => undefined,
    pods: { get: () => undefined, note: () => undefined },
    syncPeriod: 30_000,
    patience: { start: 0, create: 0, confirm: 0 },
    caches: {
      pool: () => pool,
      workersOf: () => [],
      podsOf: () => [],
      runSecretsOf: () => [],
      noteWorker: () => undefined,
    },
  });
  try {
    await expect(pools.reconcile('ci/builds')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(removed).toEqual([]);
    expect(patched).toEqual([]);
    serving = true;
    await pools.reconcile('ci/builds');
    expect(asked.at(-1)).toContain('workerPoolDelete');
    expect(removed).toEqual(['/api/v1/namespaces/ci/secrets/builds-registration']);
    expect(patched).toEqual([{ metadata: { finalizers: [] } }]);
  } finally {
    controlPlane.close();
    controlPlane.closeAllConnections();
  }
});
