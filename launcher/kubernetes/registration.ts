// Pools without a token: registered at the control plane with an API key, by its GraphQL API. Key and token are kept in
// a Secret that belongs to the pool.
import { apiVersion, labels } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import { PoolwrightError } from '../../protocol/errors.js';
import * as z from 'zod';
import type { ProxySettings } from '../network/proxies.js';
import { paths, type KubeApi } from './api.js';
import { apiKeySchema, withPlane, type ApiKey, type Call } from './plane-api.js';
import { readSecretKey } from './credentials.js';
import { ownerReference, type Secret, type WorkerPool } from './objects.js';

export interface RegistrationOptions {
  readonly api: KubeApi;
  /** On the way to the control plane. */
  readonly proxies: ProxySettings;
  /** Where the controller's own API key is: for pools that name none. */
  readonly ownKey: { readonly namespace: string; readonly name: string };
}

/** Name of the Secret with key, token and id. */
export function registrationSecret(pool: WorkerPool): string {
  return `${pool.metadata.name}-registration`;
}

/** Label of the pool at the control plane: finds it again when the answer to its creation was lost. */
const ownLabel = (pool: WorkerPool) => `kubernetes-uid:${pool.metadata.uid}`;

/** Token and key; registers the pool first if that was not done. Throws NOT_FOUND, INVALID_SETTINGS, UNAUTHORIZED, UNAVAILABLE. */
export async function registered(
  options: RegistrationOptions,
  pool: WorkerPool,
  spec: WorkerPoolSpec,
): Promise<{ readonly token: string; readonly privateKey: string }> {
  const { api } = options;
  const { namespace } = pool.metadata;
  const name = registrationSecret(pool);
  const path = `${paths.secrets(namespace)}/${name}`;
  const found = await api.get<Secret>(path);
  const text = (key: string) => Buffer.from(found?.data?.[key] ?? '', 'base64').toString('utf8');
  if (text('token') !== '') return { token: text('token'), privateKey: text('privateKey') };

  const key = await apiKeyOf(options, pool, spec);
  const made =
    found === undefined ? await makeKey() : { privateKey: text('privateKey'), request: text('request') };
  if (found === undefined) {
    // The key first: a controller that ends in between goes on with the same.
    await api.create(paths.secrets(namespace), {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name,
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'workerpool-controller' },
        ownerReferences: [ownerReference('WorkerPool', apiVersion, pool)],
      },
      type: 'Opaque',
      stringData: made,
    });
  }
  const { id, config } = await withPlane(key, options.proxies, (call) =>
    createOrReset(call, pool, spec, made.request),
  );
  await api.patch(path, { metadata: { labels: { [labels.pool]: id } }, stringData: { token: config, id } });
  return { token: config, privateKey: made.privateKey };
}

/** Removes the pool at the control plane. No error when it is gone. */
export async function deregister(
  options: RegistrationOptions,
  pool: WorkerPool,
  spec: WorkerPoolSpec,
): Promise<void> {
  const secret = await options.api.get<Secret>(
    `${paths.secrets(pool.metadata.namespace)}/${registrationSecret(pool)}`,
  );
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

async function apiKeyOf(
  { api, ownKey }: RegistrationOptions,
  pool: WorkerPool,
  spec: WorkerPoolSpec,
): Promise<ApiKey> {
  const reference = spec.spaceliftAPICredentials?.secretKeyRef;
  const namespace = reference === undefined ? ownKey.namespace : pool.metadata.namespace;
  const name = reference?.name ?? ownKey.name;
  const secret = await api.get<Secret>(`${paths.secrets(namespace)}/${name}`);
  if (secret === undefined) {
    throw new PoolwrightError(
      'NOT_FOUND',
      `the pool has neither token and privateKey, nor is there a Secret ${name} with API credentials in the namespace ${namespace}`,
    );
  }
  let value: unknown = Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([key, data]) => [
      key,
      Buffer.from(data, 'base64').toString('utf8').trim(),
    ]),
  );
  const { key } = reference ?? {};
  if (key !== undefined && key in (secret.data ?? {})) {
    const json = await readSecretKey(api, namespace, { name, key });
    if (json.startsWith('{')) value = JSON.parse(json);
  }
  const parsed = apiKeySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PoolwrightError(
    'INVALID_SETTINGS',
    `the Secret ${name} needs keyId, keySecret and endpoint: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`,
  );
}

const madeSchema = z.object({ id: z.string(), config: z.string() });

async function createOrReset(
  call: Call,
  pool: WorkerPool,
  spec: WorkerPoolSpec,
  certificateSigningRequest: string,
): Promise<z.output<typeof madeSchema>> {
  const { workerPools } = await call(
    '{ workerPools { id labels } }',
    {},
    z.object({ workerPools: z.array(z.object({ id: z.string(), labels: z.array(z.string()).nullish() })) }),
  );
  const label = ownLabel(pool);
  const own = workerPools.find((other) => other.labels?.includes(label) === true);
  if (own !== undefined) {
    const { workerPoolReset } = await call(
      'mutation ($id: ID!, $certificateSigningRequest: String!) { workerPoolReset(id: $id, certificateSigningRequest: $certificateSigningRequest) { id config } }',
      { id: own.id, certificateSigningRequest },
      z.object({ workerPoolReset: madeSchema }),
    );
    return workerPoolReset;
  }
  const limits = spec.driftDetectionRunLimits;
  const { workerPoolCreate } = await call(
    `mutation ($name: String!, $certificateSigningRequest: String!, $description: String, $labels: [String!], $space: ID, $limit: Int) {
      workerPoolCreate(name: $name, certificateSigningRequest: $certificateSigningRequest, description: $description, labels: $labels, space: $space, driftDetectionRunLimit: $limit) { id config }
    }`,
    {
      name: pool.metadata.name,
      certificateSigningRequest,
      description: spec.description ?? null,
      labels: [label],
      space: spec.space ?? null,
      limit: limits === undefined ? null : limits.disabled ? 0 : (limits.maxRuns ?? null),
    },
    z.object({ workerPoolCreate: madeSchema }),
  );
  return workerPoolCreate;
}
