// Pools without a token: registered at the control plane with an API key, by its GraphQL API. Key and token are kept in
// a Secret that belongs to the pool, and so is what was said of the pool last.
import { apiVersion, labels } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import * as z from 'zod';
import type { ProxySettings } from '../network/proxies.js';
import { paths } from './api.js';
import { apiKeyOf, type ApiKeyOptions } from './api-key.js';
import { withPlane } from './plane-api.js';
import {
  areSame,
  createPool,
  findOwn,
  poolSettingsSchema,
  resetPool,
  settingsOf,
  updatePool,
  type PoolSettings,
} from './plane-pools.js';
import { ownerReference, type Secret, type WorkerPool } from './objects.js';

export interface RegistrationOptions extends ApiKeyOptions {
  /** On the way to the control plane. */
  readonly proxies: ProxySettings;
}

/** A pool that is registered, as its Secret has it. */
export interface Registration {
  readonly id: string;
  readonly token: string;
  readonly privateKey: string;
  /** What the control plane was told of the pool last; undefined after an earlier version, which did not note it. */
  readonly said: PoolSettings | undefined;
}

/** Name of the Secret with key, token and id. */
export function registrationSecret(pool: WorkerPool): string {
  return `${pool.metadata.name}-registration`;
}

const secretPath = (pool: WorkerPool) =>
  `${paths.secrets(pool.metadata.namespace)}/${registrationSecret(pool)}`;

/** Token and key; registers the pool first if that was not done. Throws NOT_FOUND, INVALID_SETTINGS, UNAUTHORIZED, UNAVAILABLE. */
export async function registered(
  options: RegistrationOptions,
  pool: WorkerPool,
  spec: WorkerPoolSpec,
): Promise<Registration> {
  const { api } = options;
  const { namespace } = pool.metadata;
  const path = secretPath(pool);
  const found = await api.get<Secret>(path);
  const text = (key: string) => Buffer.from(found?.data?.[key] ?? '', 'base64').toString('utf8');
  const there = { id: text('id'), token: text('token'), privateKey: text('privateKey') };
  if (there.token !== '') return { ...there, said: settingsIn(text('settings')) };

  const key = await apiKeyOf(options, pool, spec);
  const made =
    found === undefined ? await makeKey() : { privateKey: text('privateKey'), request: text('request') };
  if (found === undefined) {
    // The key first: a controller that ends in between goes on with the same.
    await api.create(paths.secrets(namespace), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: registrationSecret(pool),
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'workerpool-controller' },
        ownerReferences: [ownerReference('WorkerPool', apiVersion, pool)],
      },
      type: 'Opaque',
      stringData: made,
    });
  }
  const settings = settingsOf(spec);
  const { id, config, said } = await withPlane(key, options.proxies, async (call) => {
    const own = await findOwn(call, pool);
    if (own === undefined)
      return { ...(await createPool(call, pool, settings, made.request)), said: settings };
    return { ...(await resetPool(call, own, made.request)), said: settingsIn(text('settings')) };
  });
  await api.patch(path, {
    metadata: { labels: { [labels.pool]: id } },
    stringData: {
      token: config,
      id,
      ...(said === undefined ? {} : { settings: JSON.stringify(said) }),
    },
  });
  return { id, token: config, privateKey: made.privateKey, said };
}

/**
 * Tells the control plane what the object says of the pool, if that is something else than was said last, and notes it.
 * Throws as `registered` does, and CONFLICT in the control plane's words.
 */
export async function bringSettings(
  options: RegistrationOptions,
  pool: WorkerPool,
  spec: WorkerPoolSpec,
  { id, said }: Registration,
): Promise<void> {
  const wanted = settingsOf(spec);
  if (said !== undefined && areSame(wanted, said)) return;
  await withPlane(await apiKeyOf(options, pool, spec), options.proxies, (call) =>
    updatePool(call, id, wanted, said),
  );
  await options.api.patch(secretPath(pool), { stringData: { settings: JSON.stringify(wanted) } });
}

/** Removes the pool at the control plane. No error when it is gone. */
export async function deregister(
  options: RegistrationOptions,
  pool: WorkerPool,
  spec: WorkerPoolSpec,
): Promise<void> {
  const secret = await options.api.get<Secret>(secretPath(pool));
  // The Secret goes before the pool where a whole namespace is deleted.
  const id =
    secret?.data?.['id'] === undefined
      ? (pool.metadata.labels?.[labels.pool] ?? '')
      : Buffer.from(secret.data['id'], 'base64').toString('utf8');
  if (id === '') return;
  await withPlane(await apiKeyOf(options, pool, spec), options.proxies, (call) =>
    call('mutation ($id: ID!) { workerPoolDelete(id: $id) { id } }', { id }, z.unknown()),
  );
}

async function makeKey(): Promise<{ privateKey: string; request: string }> {
  // With the libraries for certificates, which nothing else in here needs.
  const { generateKeyAndRequest } = await import('../../protocol/requests.js');
  const { privateKey, request } = await generateKeyAndRequest();
  return { privateKey: Buffer.from(privateKey).toString('base64'), request };
}

/** What cannot be read counts as never noted: it is said again then. */
function settingsIn(text: string): PoolSettings | undefined {
  try {
    return poolSettingsSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
