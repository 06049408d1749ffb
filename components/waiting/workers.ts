// The workers of a pool as its control plane knows them, asked over the API that every client of it speaks.
import { z } from 'zod';
import { PoolwrightError } from '../../protocol/errors.js';

export interface KnownWorker {
  readonly id: string;
  readonly busy: boolean;
  readonly drained: boolean;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface ControlPlaneAccess {
  /** With or without a slash at its end. */
  readonly endpoint: string;
  readonly apiKeyId: string;
  readonly apiKeySecret: string;
  /** Id of the worker pool. */
  readonly workerPool: string;
}

export type Fetch = (address: string, request: RequestInit) => Promise<Response>;

const metadataSchema = z.record(z.string(), z.unknown());
const workersSchema = z.object({
  workerPool: z
    .object({
      workers: z.array(
        z.object({ id: z.string(), busy: z.boolean(), drained: z.boolean(), metadata: z.string() }),
      ),
    })
    .nullable(),
});
const loginSchema = z.object({ apiKeyUser: z.object({ jwt: z.string() }).nullable() });
const answerSchema = z.object({
  data: z.unknown().optional(),
  errors: z.array(z.object({ message: z.string() })).optional(),
});

/** A refusal of the control plane, which asking again would not change. */
export class Refused extends PoolwrightError {}

/** Asks for all workers of the pool. Throws Refused for what is final, anything else for what may pass. */
export async function workersOf(access: ControlPlaneAccess, fetch: Fetch): Promise<readonly KnownWorker[]> {
  const login = await ask(access, fetch, null, loginSchema, {
    query: 'mutation ($id: ID!, $secret: String!) { apiKeyUser(id: $id, secret: $secret) { jwt } }',
    variables: { id: access.apiKeyId, secret: access.apiKeySecret },
  });
  if (login.apiKeyUser === null) {
    throw new Refused(
      'INVALID_ARGUMENT',
      'waitForWorkers.apiKeySecret: the control plane does not know this key',
    );
  }
  const { workerPool } = await ask(access, fetch, login.apiKeyUser.jwt, workersSchema, {
    query: 'query ($id: ID!) { workerPool(id: $id) { workers { id busy drained metadata } } }',
    variables: { id: access.workerPool },
  });
  if (workerPool === null) {
    throw new Refused(
      'INVALID_ARGUMENT',
      `waitForWorkers.workerPool: the control plane has no pool ${JSON.stringify(access.workerPool)} that this key may see`,
    );
  }
  return workerPool.workers.map((worker) => ({ ...worker, metadata: metadataOf(worker.metadata) }));
}

async function ask<Data>(
  { endpoint }: ControlPlaneAccess,
  fetch: Fetch,
  jwt: string | null,
  schema: z.ZodType<Data>,
  body: { readonly query: string; readonly variables: Readonly<Record<string, string>> },
): Promise<Data> {
  const response = await fetch(`${endpoint.replace(/\/+$/, '').replace(/\/graphql$/, '')}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(jwt === null ? {} : { authorization: `Bearer ${jwt}` }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok && response.status >= 500)
    throw new Error(`the control plane answered ${String(response.status)}`);
  const answer = answerSchema.safeParse(await response.json().catch(() => undefined));
  if (!answer.success) {
    throw new Refused(
      'INVALID_ARGUMENT',
      `waitForWorkers.endpoint: no control plane answers there (status ${String(response.status)})`,
    );
  }
  const [fault] = answer.data.errors ?? [];
  if (fault !== undefined)
    throw new Refused('INVALID_ARGUMENT', `the control plane refused: ${fault.message}`);
  return schema.parse(answer.data.data);
}

/** Text that is no object of strings has no entries: a worker of others may send what it likes. */
function metadataOf(text: string): Record<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {};
  }
  const entries = Object.entries(metadataSchema.safeParse(value).data ?? {});
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
