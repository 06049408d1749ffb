// The API key with which a pool is registered: its own, or the controller's.
import { PoolwrightError } from '../../protocol/errors.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import { paths, type KubeApi } from './api.js';
import { readSecretKey } from './credentials.js';
import type { Secret, WorkerPool } from './objects.js';
import { apiKeySchema, type ApiKey } from './plane-api.js';

export interface ApiKeyOptions {
  readonly api: KubeApi;
  /** Where the controller's own API key is: for pools that name none. */
  readonly ownKey: { readonly namespace: string; readonly name: string };
}

/** Throws NOT_FOUND, INVALID_SETTINGS. */
export async function apiKeyOf(
  { api, ownKey }: ApiKeyOptions,
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
    if (json.startsWith('{')) value = objectIn(json, `the key ${key} of the Secret ${name}`);
  }
  const parsed = apiKeySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PoolwrightError(
    'INVALID_SETTINGS',
    `the Secret ${name} needs keyId, keySecret and endpoint: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`,
  );
}

/** The parser's own words would show what is in the Secret. */
function objectIn(json: string, where: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new PoolwrightError(
      'INVALID_SETTINGS',
      `${where} is no JSON: expected an object with keyId, keySecret and endpoint`,
    );
  }
}
