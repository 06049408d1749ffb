// Pools that the controller registers with an API key: at a real control plane, which only a proxy reaches; the API server
// is a memory of Secrets.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KubeApi } from '../../../launcher/kubernetes/api.js';
import type { WorkerPool } from '../../../launcher/kubernetes/objects.js';
import { proxiesOf } from '../../../launcher/kubernetes/proxies.js';
import {
  bringSettings,
  deregister,
  registered,
  type RegistrationOptions,
} from '../../../launcher/kubernetes/registration.js';
import { labels } from '../../../protocol/kubernetes/names.js';
import { workerPoolSpec, type WorkerPoolSpec } from '../../../protocol/kubernetes/resources.js';
import { generateKeyAndRequest } from '../../../protocol/requests.js';
import { decodeToken } from '../../../protocol/token.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { startHttpProxy, type HttpProxy } from '../support/http-proxy.js';

let folder: string;
let plane: TestPlane;
let proxy: HttpProxy;
let secrets: Map<string, Record<string, string>>;
/** Answers of the API server that get lost: patches of Secrets. */
let lost: number;
/** Of a pool that was about to be registered: large keys take their time. */
let begun: Record<string, string>;
beforeAll(async () => {
  const { privateKey, request } = await generateKeyAndRequest();
  begun = { privateKey: Buffer.from(privateKey).toString('base64'), request };
  folder = await mkdtemp(join(tmpdir(), 'poolwright-test-'));
  plane = await startControlPlane(folder);
  proxy = await startHttpProxy('controller:word');
}, 60_000);
afterAll(async () => {
  await proxy.close();
  await plane.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  const endpoint = `http://api.test:${new URL(plane.url).port}/`;
  const key = { keyId: plane.key.id, keySecret: plane.key.secret, endpoint };
  secrets = new Map<string, Record<string, string>>([
    ['tools/own', key],
    ['ci/keys', key],
    ['ci/json', { all: JSON.stringify(key) }],
  ]);
  lost = 0;
});

const nameOf = (path: string) =>
  /namespaces\/([^/]+)\/secrets\/([^/]+)$/.exec(path)?.slice(1).join('/') ?? '';
const unused = () => Promise.reject(new Error('not used here'));
const api: KubeApi = {
  get: <Item>(path: string) => {
    const found = secrets.get(nameOf(path));
    if (found === undefined) return Promise.resolve(undefined);
    return Promise.resolve({
      data: Object.fromEntries(Object.entries(found).map(([name, text]) => [name, btoa(text)])),
    } as Item);
  },
  create: <Item>(_path: string, body: object) => {
    const { metadata, stringData } = body as {
      metadata: { name: string; namespace: string };
      stringData: Record<string, string>;
    };
    secrets.set(`${metadata.namespace}/${metadata.name}`, stringData);
    return Promise.resolve(body as Item);
  },
  patch: (path, body) => {
    if (lost > 0) {
      lost -= 1;
      return Promise.reject(new Error('the API server is away'));
    }
    const { stringData } = body as { stringData: Record<string, string> };
    secrets.set(nameOf(path), { ...secrets.get(nameOf(path)), ...stringData });
    return Promise.resolve(undefined);
  },
  removeFinalizer: unused,
  list: unused,
  replace: unused,
  remove: unused,
  requests: () => 0,
  close: () => undefined,
};

const options = (environment: Record<string, string> = {}): RegistrationOptions => ({
  api,
  leads: () => true,
  ownKey: { namespace: 'tools', name: 'own' },
  proxies: proxiesOf({
    HTTP_PROXY: `http://controller:word@127.0.0.1:${String(proxy.port)}`,
    ...environment,
  }),
});

function pool(uid: string, spec: object = {}): [WorkerPool, WorkerPoolSpec] {
  const metadata = {
    ...{ name: `pool-${uid}`, namespace: 'ci', uid, resourceVersion: '1' },
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  return [{ metadata, spec }, workerPoolSpec.parse(spec)];
}

const poolSchema = z.object({
  workerPool: z
    .object({
      name: z.string(),
      description: z.string().nullable(),
      space: z.string(),
      labels: z.array(z.string()),
      driftDetectionRunLimit: z.int().nullable(),
    })
    .nullable(),
});
const look = async (token: string) =>
  (
    await plane.client.request(
      'query ($id: ID!) { workerPool(id: $id) { name description space labels driftDetectionRunLimit } }',
      { id: decodeToken(token).pool },
      poolSchema,
    )
  ).workerPool;

test('a pool has the name, description, space and drift limit of its object, and is removed with it', async () => {
  const spec = { description: 'for builds', space: 'root', driftDetectionRunLimits: { maxRuns: 3 } };
  const given = pool('a', spec);
  const made = await registered(options(), ...given);
  const { token } = made;
  expect(await look(token)).toEqual({
    name: 'pool-a',
    description: 'for builds',
    space: 'root',
    labels: ['kubernetes-uid:a'],
    driftDetectionRunLimit: 3,
  });
  // The next look at it asks nobody.
  const asked = proxy.asked.length;
  expect(await registered(options(), ...given)).toEqual(made);
  await bringSettings(options(), ...given, made);
  expect(proxy.asked).toHaveLength(asked);
  await deregister(options(), ...given);
  expect(await look(token)).toBeNull();
  expect(new Set(proxy.asked)).toEqual(new Set([`POST http://api.test:${new URL(plane.url).port}/graphql`]));
});

describe('what is changed about a pool that is registered', () => {
  const apiKey = { secretKeyRef: { name: 'keys' } };
  /** One look at the pool, by a controller that remembers nothing. Gives how often the control plane was asked. */
  const lookAgain = async (uid: string, spec: object) => {
    const before = proxy.asked.length;
    const given = pool(uid, { spaceliftAPICredentials: apiKey, ...spec });
    const registration = await registered(options(), ...given);
    await bringSettings(options(), ...given, registration);
    return { asked: proxy.asked.length - before, token: registration.token };
  };
  const change = async (token: string, changed: object) => {
    const { name, labels } = (await look(token)) ?? { name: '', labels: [] };
    await plane.client.request(
      `mutation ($id: ID!, $name: String!, $labels: [String!], $description: String, $driftDetectionRunLimit: Int) {
        workerPoolUpdate(id: $id, name: $name, labels: $labels, description: $description, driftDetectionRunLimit: $driftDetectionRunLimit) { id }
      }`,
      { id: decodeToken(token).pool, name, labels, ...changed },
      z.unknown(),
    );
  };

  test('reaches the control plane, once, and leaves what the object says nothing of', async () => {
    secrets.set('ci/pool-e-registration', begun);
    const { token } = await lookAgain('e', { description: 'first' });
    // Somebody there gives it another name, a label and a limit.
    await change(token, {
      name: 'renamed',
      labels: ['kubernetes-uid:e', 'gpu'],
      description: 'first',
      driftDetectionRunLimit: 7,
    });
    const second = { description: 'second', driftDetectionRunLimits: { maxRuns: 2 } };
    // Signs in, looks, changes.
    expect((await lookAgain('e', { description: 'second' })).asked).toBe(3);
    const kept = { name: 'renamed', labels: ['kubernetes-uid:e', 'gpu'], space: 'root' };
    expect(await look(token)).toEqual({ ...kept, description: 'second', driftDetectionRunLimit: 7 });
    await lookAgain('e', second);
    expect(await look(token)).toEqual({ ...kept, description: 'second', driftDetectionRunLimit: 2 });
    expect((await lookAgain('e', second)).asked).toBe(0);
    // What it says no more goes back to its default.
    await lookAgain('e', {});
    expect(await look(token)).toEqual({ ...kept, description: '', driftDetectionRunLimit: null });
    expect((await lookAgain('e', {})).asked).toBe(0);
  });

  test('reaches it after a controller that did not note what it had said, too', async () => {
    secrets.set('ci/pool-f-registration', begun);
    const { token } = await lookAgain('f', { description: 'first' });
    const without = () => {
      const kept = Object.entries(secrets.get('ci/pool-f-registration') ?? {});
      secrets.set('ci/pool-f-registration', Object.fromEntries(kept.filter(([key]) => key !== 'settings')));
    };
    without();
    // Nothing differs: it is looked, and nothing is changed.
    expect((await lookAgain('f', { description: 'first' })).asked).toBe(2);
    expect((await lookAgain('f', { description: 'first' })).asked).toBe(0);
    without();
    expect((await lookAgain('f', { description: 'second' })).asked).toBe(3);
    expect(await look(token)).toMatchObject({ description: 'second' });
    expect((await lookAgain('f', { description: 'second' })).asked).toBe(0);
  });

  test('is said again when it could not be noted, or was refused in words that come back', async () => {
    secrets.set('ci/pool-g-registration', begun);
    const { token } = await lookAgain('g', {});
    lost = 1;
    await expect(lookAgain('g', { description: 'new' })).rejects.toThrow('the API server is away');
    expect((await lookAgain('g', { description: 'new' })).asked).toBe(2);
    expect((await lookAgain('g', { description: 'new' })).asked).toBe(0);
    await expect(lookAgain('g', { space: 'nowhere' })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/graphql answers: .*nowhere/) as string,
    });
    expect(await look(token)).toMatchObject({ description: 'new', space: 'root' });
  });
});

test('a pool whose Secret went first, as in a namespace that is deleted, is removed all the same', async () => {
  const [object, spec] = pool('d');
  const { token } = await registered(options(), object, spec);
  secrets.delete('ci/pool-d-registration');
  const id = decodeToken(token).pool;
  await deregister(
    options(),
    { ...object, metadata: { ...object.metadata, labels: { [labels.pool]: id } } },
    spec,
  );
  expect(await look(token)).toBeNull();
});

test.each([
  ['three keys of a Secret of the pool', { secretKeyRef: { name: 'keys' } }],
  ['one key with JSON', { secretKeyRef: { name: 'json', key: 'all' } }],
])('the API credentials are %s', async (_, spaceliftAPICredentials) => {
  secrets.delete('tools/own');
  secrets.set('ci/pool-json-registration', begun);
  const drift = { driftDetectionRunLimits: { disabled: true } };
  const { token } = await registered(options(), ...pool('json', { spaceliftAPICredentials, ...drift }));
  expect(await look(token)).toMatchObject({ driftDetectionRunLimit: 0 });
});

test('a pool is made once, also when the answer to its creation was lost', async () => {
  const given = pool('b');
  lost = 1;
  await expect(registered(options(), ...given)).rejects.toThrow('the API server is away');
  const key = secrets.get('ci/pool-b-registration')?.['privateKey'];
  const { token, privateKey } = await registered(options(), ...given);
  expect(privateKey).toBe(key);
  expect(await look(token)).toMatchObject({ name: 'pool-b' });
  const schema = z.object({ workerPools: z.array(z.object({ name: z.string() })) });
  const { workerPools } = await plane.client.request('{ workerPools { name } }', {}, schema);
  expect(workerPools.filter(({ name }) => name === 'pool-b')).toHaveLength(1);
});

test('what stands in the way is said: no way without the proxy, a key that is refused, none at all', async () => {
  secrets.set('ci/pool-c-registration', begun);
  const given = pool('c', { spaceliftAPICredentials: { secretKeyRef: { name: 'keys' } } });
  await expect(registered(options({ HTTP_PROXY: '' }), ...given)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringMatching(/api\.test:\d+\/graphql does not answer as an API does: /) as string,
  });
  proxy.refusal = 502;
  await expect(registered(options(), ...given)).rejects.toThrow(/does not answer as an API does: status 502/);
  proxy.refusal = undefined;
  secrets.set('ci/keys', { ...secrets.get('ci/keys'), keySecret: 'wrong' });
  await expect(registered(options(), ...given)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  secrets.delete('ci/keys');
  await expect(registered(options(), ...given)).rejects.toThrow(/a Secret keys .* in the namespace ci/);
  secrets.set('ci/keys', { keyId: 'a' });
  await expect(registered(options(), ...given)).rejects.toThrow(/needs keyId, keySecret and endpoint/);
});
