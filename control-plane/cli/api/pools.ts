// Worker pools and workers, as the API gives them.
import { z } from 'zod';
import { ulidSchema } from '../../../protocol/topics.js';
import { PoolwrightError } from '../../../protocol/errors.js';
import type { ApiClient } from './client.js';

const poolFields =
  'id name description labels space createdAt updatedAt driftDetectionRunLimit managedByK8sController workersCount busyWorkers pendingRuns';

const poolSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  labels: z.array(z.string()),
  space: z.string(),
  /** Unix seconds, as all times of the API. */
  createdAt: z.int(),
  updatedAt: z.int(),
  driftDetectionRunLimit: z.int().nullable(),
  managedByK8sController: z.boolean(),
  workersCount: z.int(),
  busyWorkers: z.int(),
  pendingRuns: z.int(),
});
export type Pool = z.infer<typeof poolSchema>;

const poolWithTokenSchema = poolSchema.extend({ config: z.string().nullable() });

export interface PoolSettings {
  readonly description?: string | undefined;
  readonly labels?: readonly string[] | undefined;
  readonly space?: string | undefined;
  readonly driftDetectionRunLimit?: number | undefined;
}

const settingsParameters =
  '$description: String, $labels: [String!], $space: ID, $driftDetectionRunLimit: Int';
const settingsArguments =
  'description: $description, labels: $labels, space: $space, driftDetectionRunLimit: $driftDetectionRunLimit';

export async function listPools(client: ApiClient): Promise<Pool[]> {
  const { workerPools } = await client.request(
    `query { workerPools { ${poolFields} } }`,
    {},
    z.object({ workerPools: z.array(poolSchema) }),
  );
  return workerPools;
}

/** The pool with this id or name. NOT_FOUND with the names there are; a name held twice is a CONFLICT. */
export async function findPool(client: ApiClient, nameOrId: string): Promise<Pool> {
  if (ulidSchema.safeParse(nameOrId).success) {
    const { workerPool } = await client.request(
      `query ($id: ID!) { workerPool(id: $id) { ${poolFields} } }`,
      { id: nameOrId },
      z.object({ workerPool: poolSchema.nullable() }),
    );
    if (workerPool !== null) return workerPool;
  }
  const pools = await listPools(client);
  const found = pools.find(({ name }) => name === nameOrId);
  if (found !== undefined) return found;
  const names = pools.map(({ name }) => name).join(', ');
  throw new PoolwrightError(
    'NOT_FOUND',
    `There is no worker pool with the name or id "${nameOrId}". There ${names === '' ? 'are no pools yet' : `are: ${names}`}.`,
  );
}

/** A pool and the token for its launchers, which the API gives out only here and at a reset. */
export interface PoolWithToken {
  readonly pool: Pool;
  readonly token: string;
}

function withToken({ config, ...pool }: z.infer<typeof poolWithTokenSchema>): PoolWithToken {
  if (config === null) {
    throw new PoolwrightError('INTERNAL', `The control plane gave no token for the pool ${pool.name}.`);
  }
  return { pool, token: config };
}

/** `certificateSigningRequest` is PEM, in clear or in base64. */
export async function createPool(
  client: ApiClient,
  input: PoolSettings & { readonly name: string; readonly certificateSigningRequest: string },
): Promise<PoolWithToken> {
  const { workerPoolCreate } = await client.request(
    `mutation ($name: String!, $certificateSigningRequest: String!, ${settingsParameters}) {
      workerPoolCreate(name: $name, certificateSigningRequest: $certificateSigningRequest, ${settingsArguments}) { ${poolFields} config }
    }`,
    { ...input },
    z.object({ workerPoolCreate: poolWithTokenSchema }),
  );
  return withToken(workerPoolCreate);
}

/** The token of an existing pool, which the API gives to administrators. */
export async function poolToken(client: ApiClient, id: string): Promise<string> {
  const { workerPool } = await client.request(
    'query ($id: ID!) { workerPool(id: $id) { config } }',
    { id },
    z.object({ workerPool: z.object({ config: z.string().nullable() }).nullable() }),
  );
  const token = workerPool?.config;
  if (token !== null && token !== undefined) return token;
  throw new PoolwrightError('FORBIDDEN', `The token of the pool ${id} is given to administrators only.`);
}

export async function updatePool(
  client: ApiClient,
  input: PoolSettings & { readonly id: string; readonly name: string },
): Promise<Pool> {
  const { workerPoolUpdate } = await client.request(
    `mutation ($id: ID!, $name: String!, ${settingsParameters}) {
      workerPoolUpdate(id: $id, name: $name, ${settingsArguments}) { ${poolFields} }
    }`,
    { ...input },
    z.object({ workerPoolUpdate: poolSchema }),
  );
  return workerPoolUpdate;
}

/** A new certificate and token; workers on the old one are cut off. */
export async function resetPool(
  client: ApiClient,
  input: { readonly id: string; readonly certificateSigningRequest: string },
): Promise<PoolWithToken> {
  const { workerPoolReset } = await client.request(
    `mutation ($id: ID!, $certificateSigningRequest: String!) {
      workerPoolReset(id: $id, certificateSigningRequest: $certificateSigningRequest) { ${poolFields} config }
    }`,
    { ...input },
    z.object({ workerPoolReset: poolWithTokenSchema }),
  );
  return withToken(workerPoolReset);
}

/** Tells every worker of the pool to exit after its run. */
export async function cyclePool(client: ApiClient, id: string): Promise<void> {
  await client.request(
    'mutation ($id: ID!) { workerPoolCycle(id: $id) }',
    { id },
    z.object({ workerPoolCycle: z.boolean() }),
  );
}

export async function deletePool(client: ApiClient, id: string): Promise<void> {
  await client.request(
    'mutation ($id: ID!) { workerPoolDelete(id: $id) { id } }',
    { id },
    z.object({ workerPoolDelete: z.object({ id: z.string() }).nullable() }),
  );
}
