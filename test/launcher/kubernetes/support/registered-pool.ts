// A WorkerPool that a controller has registered, between an API server and a control plane that answer as a test says, and
// note what they were asked. Nobody listens where its workers connect.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { KubeApi } from '../../../../launcher/kubernetes/api.js';
import { createMetrics } from '../../../../launcher/kubernetes/metrics.js';
import type { Worker, WorkerPool } from '../../../../launcher/kubernetes/objects.js';
import { createPools, type PoolsOptions } from '../../../../launcher/kubernetes/pools.js';
import { proxiesOf } from '../../../../launcher/kubernetes/proxies.js';
import type { KeyAndRequest } from '../../../../launcher/kubernetes/registration.js';
import { finalizer, labels } from '../../../../protocol/kubernetes/names.js';
import { encodeToken } from '../../../../protocol/token.js';
import { recordedLog } from '../../support/log.js';
import { manualClock } from '../../support/manual-clock.js';
import type { TestPool } from '../../support/pool.js';

/** What a field of the API gives to these variables. Thrown: the message of the error in its answer. */
type Answers = Record<string, (variables: Readonly<Record<string, unknown>>) => unknown>;

export async function openRegisteredPool(
  made: TestPool,
  {
    spec = {},
    deleted = false,
    makeKey,
  }: {
    readonly spec?: object;
    readonly deleted?: boolean;
    readonly makeKey?: () => Promise<KeyAndRequest>;
  } = {},
) {
  const asked: string[] = [];
  const answers: Answers = { apiKeyUser: () => ({ jwt: 'j' }) };
  const serving = { on: true };
  const plane = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => (body += text));
    request.on('end', () => {
      if (!serving.on) {
        response.destroy();
        return;
      }
      const { query, variables } = JSON.parse(body) as { query: string; variables: Record<string, unknown> };
      const [, field = ''] = /\{\s*(\w+)/.exec(query) ?? [];
      if (field !== 'apiKeyUser') asked.push(field);
      const answer = async () => {
        if (answers[field] === undefined) throw new Error(`nobody answers ${field}`);
        return { data: { [field]: await answers[field](variables) } };
      };
      answer()
        .catch((error: unknown) => ({ errors: [{ message: (error as Error).message }] }))
        .then(
          (body) => response.end(JSON.stringify(body)),
          () => undefined,
        );
    });
  }).listen(0, '127.0.0.1');
  await once(plane, 'listening');
  onTestFinished(() => {
    plane.closeAllConnections();
    plane.close();
  });

  const token = encodeToken(made.token(9));
  const { pool: id } = made.token(9);
  const secrets = new Map<string, Record<string, string>>([
    ['builds-registration', { token, privateKey: btoa(made.privateKey), id }],
    [
      'key',
      {
        keyId: 'k',
        keySecret: 's3cret',
        endpoint: `http://127.0.0.1:${String((plane.address() as AddressInfo).port)}`,
      },
    ],
  ]);
  let object: WorkerPool = {
    metadata: {
      name: 'builds',
      namespace: 'ci',
      uid: 'u',
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { [labels.pool]: id },
      finalizers: [finalizer],
      ...(deleted ? { deletionTimestamp: '2026-01-02T00:00:00Z' } : {}),
    },
    spec: { poolSize: 0, spaceliftAPICredentials: { secretKeyRef: { name: 'key' } }, ...spec },
  };
  const workers: Worker[] = [];
  const events: string[] = [];
  /** Why the API server does not do what it is asked, by the path's last part; undefined: it does. */
  const refusals: Record<string, Error> = {};
  const unused = () => Promise.reject(new Error('not used here'));
  const lastOf = (path: string) => path.split('/').at(-1) ?? '';
  const api: KubeApi = {
    get: <Item>(path: string) => {
      const name = lastOf(path);
      if (refusals[name] !== undefined) return Promise.reject(refusals[name]);
      const found = secrets.get(name);
      if (found === undefined) return Promise.resolve(undefined);
      const data = Object.fromEntries(Object.entries(found).map(([key, text]) => [key, btoa(text)]));
      return Promise.resolve({ data, metadata: { resourceVersion: '1' } } as Item);
    },
    create: <Item>(path: string, body: object) => {
      if (path.endsWith('/secrets')) {
        const { metadata, stringData } = body as {
          metadata: { name: string };
          stringData: Record<string, string>;
        };
        secrets.set(metadata.name, stringData);
        return Promise.resolve(body as Item);
      }
      const metadata = {
        ...(body as Worker).metadata,
        uid: 'w',
        ownerReferences: [{ uid: 'u', kind: 'WorkerPool', name: 'builds' }],
      };
      return Promise.resolve({ ...body, metadata } as Item);
    },
    patch: (path, body) => {
      const name = lastOf(path);
      if (refusals[name] !== undefined) return Promise.reject(refusals[name]);
      const { stringData, data, status, metadata } = body as {
        stringData?: Record<string, string>;
        data?: Record<string, null>;
        status?: object;
        metadata?: Partial<WorkerPool['metadata']>;
      };
      if (path.includes('/secrets/')) {
        const kept = Object.entries(secrets.get(name) ?? {}).filter(([key]) => data?.[key] !== null);
        secrets.set(name, { ...Object.fromEntries(kept), ...stringData });
      } else if (status !== undefined) object = { ...object, status: { ...object.status, ...status } };
      else object = { ...object, metadata: { ...object.metadata, ...metadata } };
      return Promise.resolve(undefined);
    },
    remove: (path) => {
      secrets.delete(lastOf(path));
      return Promise.resolve(undefined);
    },
    removeFinalizer: unused,
    list: unused,
    replace: unused,
    requests: () => 0,
    close: () => undefined,
  };
  const clock = manualClock(Date.now());
  const log = recordedLog();
  /** A controller that remembers nothing. */
  const start = (more: Partial<PoolsOptions> = {}) =>
    createPools({
      api,
      recorder: {
        record: (_kind, _about, type, reason, message) => events.push(`${type} ${reason}: ${message}`),
      },
      metrics: createMetrics(() => []),
      proxies: proxiesOf({}),
      clock,
      random: () => 0.5,
      log,
      leads: () => true,
      unavailable: () => null,
      version: '1',
      launcherImage: 'image',
      ownKey: { namespace: 'ci', name: 'own' },
      requeue: () => undefined,
      pods: { get: () => undefined, note: (pod) => pod },
      syncPeriod: 30_000,
      patience: { start: 0, notice: 0, begin: 0, create: 0, confirm: 0 },
      caches: {
        pool: () => object,
        workersOf: () => workers,
        podsOf: () => [],
        runSecretsOf: () => [],
        noteWorker: (worker) => {
          workers.push(worker);
          return worker;
        },
      },
      ...(makeKey === undefined ? {} : { makeKey }),
      ...more,
    });
  let pools = start();
  return {
    id,
    token,
    answers,
    /** Fields of the API, in the order in which they were asked for. */
    asked,
    serving,
    secrets,
    refusals,
    workers,
    events,
    clock,
    log,
    finalizers: () => object.metadata.finalizers ?? [],
    message: () => object.status?.['message'],
    change: (changed: object) => {
      object = { ...object, spec: { ...(object.spec as object), ...changed } };
    },
    restart: (more: Partial<PoolsOptions> = {}) => {
      pools = start(more);
    },
    reconcile: () => pools.reconcile('ci/builds'),
    /** After the time in which Secrets are not read again. */
    async later(milliseconds = 30_000) {
      clock.advance(milliseconds);
      await pools.reconcile('ci/builds');
    },
  };
}
