// Pools without a token: registered at the control plane with an API key, by its GraphQL API. Key and token are kept in
// a Secret that belongs to the pool.
import { apiVersion, labels } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import { PoolwrightError } from '../../protocol/errors.js';
import * as z from 'zod';
import { paths, type KubeApi } from './api.js';
import { readSecretKey } from './credentials.js';
import { ownerReference, type Secret, type WorkerPool } from './objects.js';

const apiKeySchema = z.object({
  keyId: z.string().min(1),
  keySecret: z.string().min(1),
  endpoint: z.url(),
});
type ApiKey = z.output<typeof apiKeySchema>;

export interface RegistrationOptions {
  readonly api: KubeApi;
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
  const { id, config } = await createOrReset(key, pool, spec, made.request);
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
  const id = Buffer.from(secret?.data?.['id'] ?? '', 'base64').toString('utf8');
  if (id === '') return;
  const call = await signIn(await apiKeyOf(options, pool, spec));
  await call('mutation ($id: ID!) { workerPoolDelete(id: $id) { id } }', { id }, z.unknown());
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

type Call = <Schema extends z.ZodType>(
  query: string,
  variables: Readonly<Record<string, unknown>>,
  schema: Schema,
) => Promise<z.output<Schema>>;

async function signIn(key: ApiKey): Promise<Call> {
  const url = `${key.endpoint.replace(/\/+$/, '').replace(/\/graphql$/, '')}/graphql`;
  const { apiKeyUser } = await request(
    url,
    undefined,
    'mutation ($id: ID!, $secret: String!) { apiKeyUser(id: $id, secret: $secret) { jwt } }',
    { id: key.keyId, secret: key.keySecret },
    z.object({ apiKeyUser: z.object({ jwt: z.string() }) }),
  );
  return (query, variables, schema) => request(url, apiKeyUser.jwt, query, variables, schema);
}

async function request<Schema extends z.ZodType>(
  url: string,
  jwt: string | undefined,
  query: string,
  variables: Readonly<Record<string, unknown>>,
  schema: Schema,
): Promise<z.output<Schema>> {
  let answer: unknown;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(jwt === undefined ? {} : { authorization: `Bearer ${jwt}` }),
      },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(30_000),
    });
    answer = await response.json();
  } catch (error) {
    throw new PoolwrightError('UNAVAILABLE', `${url} does not answer as an API does`, { cause: error });
  }
  const { data, errors = [] } = z
    .object({
      data: z.unknown().optional(),
      errors: z.array(z.object({ message: z.string() })).optional(),
    })
    .parse(answer);
  const [first] = errors;
  if (first === undefined) return schema.parse(data);
  if (first.message === 'unauthorized')
    throw new PoolwrightError('UNAUTHORIZED', `${url} refuses the API credentials of the pool`);
  throw new PoolwrightError('CONFLICT', `${url} answers: ${first.message}`);
}

const madeSchema = z.object({ id: z.string(), config: z.string() });

async function createOrReset(
  key: ApiKey,
  pool: WorkerPool,
  spec: WorkerPoolSpec,
  certificateSigningRequest: string,
): Promise<z.output<typeof madeSchema>> {
  const call = await signIn(key);
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
