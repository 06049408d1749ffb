// WorkerPools one by one: one that the controller has registered is deleted, and one whose workers cannot connect.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import type { KubeApi } from '../../../launcher/kubernetes/api.js';
import { createMetrics } from '../../../launcher/kubernetes/metrics.js';
import type { Worker, WorkerPool } from '../../../launcher/kubernetes/objects.js';
import { createPools } from '../../../launcher/kubernetes/pools.js';
import { proxiesOf } from '../../../launcher/kubernetes/proxies.js';
import { finalizer } from '../../../protocol/kubernetes/names.js';
import { encodeToken } from '../../../protocol/token.js';
import { manualClock } from '../support/manual-clock.js';
import { recordedLog } from '../support/log.js';
import { makePool } from '../support/pool.js';
import { until } from '../support/until.js';

const metadata: WorkerPool['metadata'] = {
  name: 'builds',
  namespace: 'ci',
  uid: 'u',
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
};
const pool: WorkerPool = {
  metadata: {
    ...metadata,
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
      response.end(
        JSON.stringify({ data: { apiKeyUser: { jwt: 'j' }, workerPool: {}, workerPoolDelete: { id: 'p' } } }),
      );
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
    removeFinalizer: unused,
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
    unavailable: () => null,
    version: '1',
    launcherImage: 'image',
    ownKey: { namespace: 'ci', name: 'key' },
    requeue: () => undefined,
    pods: { get: () => undefined, note: (pod) => pod },
    syncPeriod: 30_000,
    patience: { start: 0, notice: 0, begin: 0, create: 0, confirm: 0 },
    caches: {
      pool: () => pool,
      workersOf: () => [],
      podsOf: () => [],
      runSecretsOf: () => [],
      noteWorker: (worker) => worker,
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

it('says that workers cannot connect after as many tries as it allows', async () => {
  const made = await makePool();
  // Nobody listens there.
  const pair = { token: encodeToken(made.token(9)), privateKey: made.privateKey };
  const data = Object.fromEntries(Object.entries(pair).map(([name, text]) => [name, btoa(text)]));
  const reference = (key: string) => ({ secretKeyRef: { name: 'pair', key } });
  const spec = { token: reference('token'), privateKey: reference('privateKey'), mqttReconnectRetryCount: 2 };
  const workers: Worker[] = [];
  const statuses: { message?: string }[] = [];
  const events: string[] = [];
  const unused = () => Promise.reject(new Error('not used here'));
  const clock = manualClock(Date.now());
  const log = recordedLog();
  const pools = createPools({
    api: {
      get: <Item>() => Promise.resolve({ data } as Item),
      create: <Item>(_path: string, body: object) => {
        const worker = { ...body, metadata: { ...(body as Worker).metadata, uid: 'w' } } as Worker;
        return Promise.resolve(worker as Item);
      },
      patch: (_path, body) => {
        if ('status' in body) statuses.push(body.status as object);
        return Promise.resolve(undefined);
      },
      removeFinalizer: unused,
      remove: unused,
      list: unused,
      replace: unused,
      requests: () => 0,
      close: () => undefined,
    },
    recorder: { record: (_kind, _about, _type, reason, message) => events.push(`${reason}: ${message}`) },
    metrics: createMetrics(() => []),
    proxies: proxiesOf({}),
    clock,
    random: () => 0.5,
    log,
    leads: () => true,
    unavailable: () => null,
    version: '1',
    launcherImage: 'image',
    ownKey: { namespace: 'ci', name: 'key' },
    requeue: () => undefined,
    pods: { get: () => undefined, note: (pod) => pod },
    syncPeriod: 3_600_000,
    patience: { start: 0, notice: 0, begin: 0, create: 0, confirm: 0 },
    caches: {
      pool: () => ({ metadata, spec }),
      workersOf: () =>
        workers.map((worker) => ({ ...worker, metadata: { ...worker.metadata, ownerReferences: owners } })),
      podsOf: () => [],
      runSecretsOf: () => [],
      noteWorker: (worker) => {
        workers.push(worker);
        return worker;
      },
    },
  });
  const owners = [{ uid: metadata.uid, kind: 'WorkerPool', name: metadata.name }];
  const failures = () => log.lines.filter(({ message }) => message.startsWith('Connecting again')).length;
  await pools.reconcile('ci/builds');
  for (let tries = 1; tries <= 3; tries += 1) {
    await until(() => failures() === tries, `failure ${String(tries)}`);
    await pools.reconcile('ci/builds');
    expect(events.filter((event) => event.startsWith('WorkerCannotConnect'))).toHaveLength(tries > 2 ? 1 : 0);
    clock.advance(15_000);
  }
  const words = /1 of 1 workers cannot connect: .*ssl:\/\/localhost:9/;
  expect(events.at(-1)).toMatch(words);
  expect(statuses.findLast(({ message }) => message !== undefined)?.message).toMatch(words);
});
