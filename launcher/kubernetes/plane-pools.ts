// A pool at the control plane, as the controller that has registered it makes and changes it: by the GraphQL API.
import * as z from 'zod';
import { PoolwrightError } from '../../protocol/errors.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import { decodeToken } from '../../protocol/token.js';
import type { PoolCredentials } from './credentials.js';
import type { WorkerPool } from './objects.js';
import type { Call } from './plane-api.js';

/** What a WorkerPool says of the pool at the control plane. Null: nothing. */
export const poolSettingsSchema = z.object({
  description: z.string().nullable(),
  space: z.string().nullable(),
  driftDetectionRunLimit: z.int().nullable(),
});
export type PoolSettings = z.output<typeof poolSettingsSchema>;

export function settingsOf(spec: WorkerPoolSpec): PoolSettings {
  const limits = spec.driftDetectionRunLimits;
  return {
    description: spec.description ?? null,
    space: spec.space ?? null,
    driftDetectionRunLimit: limits === undefined ? null : limits.disabled ? 0 : (limits.maxRuns ?? null),
  };
}

export function areSame(one: PoolSettings, other: PoolSettings): boolean {
  return (
    (one.description ?? '') === (other.description ?? '') &&
    one.space === other.space &&
    one.driftDetectionRunLimit === other.driftDetectionRunLimit
  );
}

const madeSchema = z.object({ id: z.string(), config: z.string() });
export type MadePool = z.output<typeof madeSchema>;

/** Label of the pool at the control plane: finds it again when the answer to its creation was lost. */
const ownLabel = (pool: WorkerPool) => `kubernetes-uid:${pool.metadata.uid}`;

/** By its label or else its id as it was; undefined when there is none. */
export async function findOwn(call: Call, pool: WorkerPool, id: string): Promise<string | undefined> {
  const { workerPools } = await call(
    '{ workerPools { id labels } }',
    {},
    z.object({ workerPools: z.array(z.object({ id: z.string(), labels: z.array(z.string()).nullish() })) }),
  );
  const own = workerPools.find(({ labels }) => labels?.includes(ownLabel(pool)) === true);
  return (own ?? workerPools.find((other) => other.id === id))?.id;
}

/** What has become of a pool that was registered with these credentials. */
export type Standing =
  | { readonly kind: 'own' }
  | { readonly kind: 'deleted' }
  /** It has another certificate. `workers`: those that are there, some of which may only not count as lost yet. */
  | { readonly kind: 'reset'; readonly workers: number }
  /** The certificate is the same; something else in the token is not. */
  | { readonly kind: 'renewed'; readonly token: string };

/** Undefined: who asks is not told. */
export async function standingOf(
  call: Call,
  { token, tokenText }: Pick<PoolCredentials, 'token' | 'tokenText'>,
): Promise<Standing | undefined> {
  const { workerPool } = await call(
    'query ($id: ID!) { workerPool(id: $id) { config workersCount } }',
    { id: token.pool },
    z.object({
      workerPool: z.object({ config: z.string().nullish(), workersCount: z.int() }).nullable(),
    }),
  );
  if (workerPool === null) return { kind: 'deleted' };
  const { config, workersCount } = workerPool;
  if (config == null || config === '') return undefined;
  if (config === tokenText) return { kind: 'own' };
  return decodeToken(config).certificate === token.certificate
    ? { kind: 'renewed', token: config }
    : { kind: 'reset', workers: workersCount };
}

export async function createPool(
  call: Call,
  pool: WorkerPool,
  settings: PoolSettings,
  certificateSigningRequest: string,
): Promise<MadePool> {
  const { workerPoolCreate } = await call(
    `mutation ($name: String!, $certificateSigningRequest: String!, $description: String, $labels: [String!], $space: ID, $driftDetectionRunLimit: Int) {
      workerPoolCreate(name: $name, certificateSigningRequest: $certificateSigningRequest, description: $description, labels: $labels, space: $space, driftDetectionRunLimit: $driftDetectionRunLimit) { id config }
    }`,
    { name: pool.metadata.name, certificateSigningRequest, labels: [ownLabel(pool)], ...settings },
    z.object({ workerPoolCreate: madeSchema }),
  );
  return workerPoolCreate;
}

/** Workers with the token before are cut off. */
export async function resetPool(
  call: Call,
  id: string,
  certificateSigningRequest: string,
): Promise<MadePool> {
  const { workerPoolReset } = await call(
    'mutation ($id: ID!, $certificateSigningRequest: String!) { workerPoolReset(id: $id, certificateSigningRequest: $certificateSigningRequest) { id config } }',
    { id, certificateSigningRequest },
    z.object({ workerPoolReset: madeSchema }),
  );
  return workerPoolReset;
}

/**
 * Brings the pool to these settings; asks for no change when it has them. `said`: what was said of it before. What the
 * object says nothing of and never did is left as somebody else has set it; what it says no more goes back to its default.
 * Throws NOT_FOUND.
 */
export async function updatePool(
  call: Call,
  id: string,
  wanted: PoolSettings,
  said: PoolSettings | undefined,
): Promise<void> {
  const { workerPool } = await call(
    'query ($id: ID!) { workerPool(id: $id) { name labels description space driftDetectionRunLimit } }',
    { id },
    z.object({
      workerPool: z
        .object({
          name: z.string(),
          labels: z.array(z.string()).nullish(),
          description: z.string().nullish(),
          space: z.string().nullish(),
          driftDetectionRunLimit: z.int().nullish(),
        })
        .nullable(),
    }),
  );
  if (workerPool === null)
    throw new PoolwrightError('NOT_FOUND', `the control plane has no worker pool ${id}`);
  // The API takes what is not given as its default.
  const { name, labels } = workerPool;
  const there: PoolSettings = {
    description: workerPool.description ?? null,
    space: workerPool.space ?? null,
    driftDetectionRunLimit: workerPool.driftDetectionRunLimit ?? null,
  };
  const next: PoolSettings = {
    description: wanted.description ?? (said?.description == null ? there.description : null),
    space: wanted.space ?? (said?.space == null ? there.space : null),
    driftDetectionRunLimit:
      wanted.driftDetectionRunLimit ??
      (said?.driftDetectionRunLimit == null ? there.driftDetectionRunLimit : null),
  };
  if (areSame(next, there)) return;
  await call(
    `mutation ($id: ID!, $name: String!, $description: String, $labels: [String!], $space: ID, $driftDetectionRunLimit: Int) {
      workerPoolUpdate(id: $id, name: $name, description: $description, labels: $labels, space: $space, driftDetectionRunLimit: $driftDetectionRunLimit) { id }
    }`,
    { id, name, labels: labels ?? [], ...next },
    z.unknown(),
  );
}

/**
 * `certificate`: of the pool's token as it is known here; with another one the pool is somebody else's by now, and left to
 * them. Undefined: none is known.
 */
export async function removePool(
  call: Call,
  id: string,
  certificate: string | undefined,
): Promise<'removed' | 'left'> {
  const { workerPool } = await call(
    'query ($id: ID!) { workerPool(id: $id) { config } }',
    { id },
    z.object({ workerPool: z.object({ config: z.string().nullish() }).nullable() }),
  );
  if (workerPool === null) return 'removed';
  const there = certificateIn(workerPool.config ?? '');
  if (certificate !== undefined && there !== undefined && there !== certificate) return 'left';
  await call('mutation ($id: ID!) { workerPoolDelete(id: $id) { id } }', { id }, z.unknown());
  return 'removed';
}

/** Of a token; undefined when it is none. */
export function certificateIn(tokenText: string): string | undefined {
  try {
    return decodeToken(tokenText).certificate;
  } catch {
    return undefined;
  }
}
