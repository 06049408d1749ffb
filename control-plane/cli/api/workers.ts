// Workers of a pool, as the API gives them.
import { z } from 'zod';
import { PoolwrightError } from '../../../protocol/errors.js';
import type { ApiClient } from './client.js';

const workerFields =
  'id busy drained status createdAt availableAt metadata version executor connected run launcherUpdate { base failedVersion failure }';

/** The API's `metadata` is a JSON text that holds an object of strings. */
const metadataSchema = z.string().transform((text, context): Record<string, string> => {
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(text));
  } catch {
    context.addIssue({ code: 'custom', message: 'expected JSON text of an object of strings' });
    return z.NEVER;
  }
});

const workerSchema = z.object({
  id: z.string(),
  busy: z.boolean(),
  drained: z.boolean(),
  status: z.enum(['IDLE', 'BUSY', 'DRAINED']),
  createdAt: z.int(),
  availableAt: z.int().nullable(),
  metadata: metadataSchema,
  version: z.string().nullable(),
  executor: z.string().nullable(),
  connected: z.boolean(),
  /** Null when it takes no launcher releases. */
  launcherUpdate: z
    .object({ base: z.string(), failedVersion: z.string().nullable(), failure: z.string().nullable() })
    .nullable(),
  /** The run it holds. */
  run: z.string().nullable(),
});
export type Worker = z.infer<typeof workerSchema>;

/** Workers of the pool with this id, oldest first. */
export async function listWorkers(client: ApiClient, pool: string): Promise<Worker[]> {
  const { workerPool } = await client.request(
    `query ($id: ID!) { workerPool(id: $id) { workers { ${workerFields} } } }`,
    { id: pool },
    z.object({ workerPool: z.object({ workers: z.array(workerSchema) }).nullable() }),
  );
  if (workerPool === null)
    throw new PoolwrightError('NOT_FOUND', `There is no worker pool ${pool} any more.`);
  return workerPool.workers;
}

/** After an answer with `busy: false` to `drain: true`, nothing starts on that worker until it is undrained. */
export async function setDrained(
  client: ApiClient,
  pool: string,
  worker: string,
  drain: boolean,
): Promise<Worker> {
  const { workerDrainSet } = await client.request(
    `mutation ($pool: ID!, $worker: ID!, $drain: Boolean!) {
      workerDrainSet(workerPool: $pool, id: $worker, drain: $drain) { ${workerFields} }
    }`,
    { pool, worker, drain },
    z.object({ workerDrainSet: workerSchema }),
  );
  return workerDrainSet;
}
