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
  certificateIn,
  createPool,
  findOwn,
  poolSettingsSchema,
  removePool,
  resetPool,
  settingsOf,
  updatePool,
  type PoolSettings,
} from './plane-pools.js';
import { ownerReference, type Secret, type WorkerPool } from './objects.js';

export interface RegistrationOptions extends ApiKeyOptions {
  /** Whether this controller may act: of two that register a pool anew, each would cut off the other's workers. */
  readonly leads: () => boolean;
  /** On the way to the control plane. */
  readonly proxies: ProxySettings;
  /** Default: one as users make them. */
  readonly makeKey?: () => Promise<KeyAndRequest>;
}

/** Base64 of the PEM text; PEM. */
export interface KeyAndRequest {
  readonly privateKey: string;
  readonly request: string;
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
    found === undefined
      ? await (options.makeKey ?? makeOwnKey)()
      : { privateKey: text('privateKey'), request: text('request') };
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
  if (!options.leads()) throw new Error('another controller may lead now');
  const settings = settingsOf(spec);
  const { id, config, said } = await withPlane(key, options.proxies, async (call) => {
    const own = await findOwn(call, pool, there.id);
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

const renewalsSchema = z.object({
  count: z.int().min(0),
  at: z.number(),
  left: z.boolean(),
});

/** That somebody else had reset or deleted the pool at the control plane. */
export interface Renewals extends z.output<typeof renewalsSchema> {
  /** How often it was registered anew for that, and when last (Unix milliseconds). */
  readonly count: number;
  readonly at: number;
  /** Others have used it since: it is theirs. */
  readonly left: boolean;
  /** Of the Secret as it was read. */
  readonly version?: string | undefined;
}

export async function renewalsOf({ api }: RegistrationOptions, pool: WorkerPool): Promise<Renewals> {
  const found = await api.get<Secret>(secretPath(pool));
  const text = Buffer.from(found?.data?.['renewals'] ?? '', 'base64').toString('utf8');
  const noted = parsed(renewalsSchema, text) ?? { count: 0, at: 0, left: false };
  return { ...noted, version: found?.metadata.resourceVersion };
}

export async function noteRenewals(
  { api }: RegistrationOptions,
  pool: WorkerPool,
  { count, at, left }: Renewals,
): Promise<void> {
  await api.patch(secretPath(pool), { stringData: { renewals: JSON.stringify({ count, at, left }) } });
}

/**
 * The pool is registered at the next look, with a key that nobody has seen. The API server refuses it when the Secret has
 * changed since it was read: somebody else may be at it.
 */
export async function beginAnew(
  { api, makeKey = makeOwnKey }: RegistrationOptions,
  pool: WorkerPool,
  { count, at, left, version }: Renewals,
): Promise<void> {
  await api.patch(secretPath(pool), {
    metadata: { resourceVersion: version },
    data: { token: null },
    stringData: { ...(await makeKey()), renewals: JSON.stringify({ count, at, left }) },
  });
}

/** The control plane has given another token for the same certificate. */
export async function adoptToken(
  { api }: RegistrationOptions,
  pool: WorkerPool,
  token: string,
): Promise<void> {
  await api.patch(secretPath(pool), { stringData: { token } });
}

/**
 * Removes the pool at the control plane, unless somebody else has it by now: `left`. No error when it is gone. Throws
 * NOT_FOUND, INVALID_SETTINGS, UNAUTHORIZED, CONFLICT, UNAVAILABLE.
 */
export async function deregister(
  options: RegistrationOptions,
  pool: WorkerPool,
  spec: WorkerPoolSpec,
): Promise<'removed' | 'left'> {
  const secret = await options.api.get<Secret>(secretPath(pool));
  const text = (key: string) => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8');
  // The Secret goes before the pool where a whole namespace is deleted.
  const id = text('id') === '' ? (pool.metadata.labels?.[labels.pool] ?? '') : text('id');
  if (id === '') return 'removed';
  return withPlane(await apiKeyOf(options, pool, spec), options.proxies, (call) =>
    removePool(call, id, certificateIn(text('token'))),
  );
}

async function makeOwnKey(): Promise<KeyAndRequest> {
  // With the libraries for certificates, which nothing else in here needs.
  const { generateKeyAndRequest } = await import('../../protocol/requests.js');
  const { privateKey, request } = await generateKeyAndRequest();
  return { privateKey: Buffer.from(privateKey).toString('base64'), request };
}

/** What cannot be read counts as never noted. */
function parsed<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> | undefined {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

const settingsIn = (text: string) => parsed(poolSettingsSchema, text);
