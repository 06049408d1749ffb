// Reads of the API per second, with their checks, rights and database, beside a GraphQL server by the same library that only
// gives out the same JSON. Of what autoscalers and dashboards ask again and again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { triggerRun } from '../control-plane/cli/api/runs.js';
import { figure, type Figure } from './figure.js';
import { startPlane, type Plane } from './support/plane.js';
import { ended } from './support/server.js';

const rounds = 5;
const reads = 300;
const atOnce = 8;
/** Each key may read 200 times a second. */
const keys = 24;

const queries = {
  'worker pools': {
    query: '{ workerPools { id name workersCount busyWorkers pendingRuns } }',
    schema: `type Query { workerPools: [Pool!]! }
      type Pool { id: ID! name: String! workersCount: Int! busyWorkers: Int! pendingRuns: Int! }`,
  },
  "a stack's runs": {
    query: '{ stack(id: "bench-1") { id name proposedRuns { id type state title createdAt finished } } }',
    schema: `type Query { stack(id: ID!): Stack }
      type Stack { id: ID! name: String! proposedRuns: [Run!]! }
      type Run { id: ID! type: String! state: String! title: String createdAt: Int! finished: Boolean! }`,
  },
} as const;

export async function bench(): Promise<Figure[]> {
  const plane = await startPlane();
  try {
    const stack = await plane.stack({});
    for (let run = 0; run < 40; run += 1) await triggerRun(plane.client, { stack, runType: 'PROPOSED' });
    const tokens = await makeTokens(plane);
    const figures: Figure[] = [];
    for (const [what, { query, schema }] of Object.entries(queries)) {
      const ask = (url: string, index: number) => read(url, query, tokens[index % tokens.length] ?? '');
      const data = await ask(`${plane.url}/graphql`, 0);
      const bare = await startBare(schema, data);
      const [ours, reference]: [number[], number[]] = [[], []];
      for (let round = 0; round <= rounds; round += 1) {
        const [own, other] = [await perSecond(`${plane.url}/graphql`, ask), await perSecond(bare.url, ask)];
        // The first is both servers' warming up.
        if (round === 0) continue;
        ours.push(own);
        reference.push(other);
      }
      await bare.close();
      figures.push(
        figure({
          name: `API reads: ${what}`,
          unit: '/s',
          samples: ours,
          reference: { what: 'bare GraphQL server, same JSON', samples: reference },
          note: 'on the embedded database; each read checks its token, the rights of its key, and asks for what is there now',
        }),
      );
    }
    return figures;
  } finally {
    await plane.close();
  }
}

const madeSchema = z.object({ apiKeyCreate: z.object({ id: z.string(), secret: z.string() }) });
const signedIn = z.object({ apiKeyUser: z.object({ jwt: z.string() }) });

async function makeTokens({ client, url }: Plane): Promise<string[]> {
  const tokens: string[] = [];
  for (let key = 0; key < keys; key += 1) {
    const { apiKeyCreate } = await client.request(
      'mutation ($name: String!) { apiKeyCreate(input: { name: $name, role: READER }) { id secret } }',
      { name: `bench ${String(key)}` },
      madeSchema,
    );
    const { id, secret } = apiKeyCreate;
    const data = await read(
      `${url}/graphql`,
      `mutation { apiKeyUser(id: "${id}", secret: "${secret}") { jwt } }`,
    );
    tokens.push(signedIn.parse(data).apiKeyUser.jwt);
  }
  return tokens;
}

async function read(url: string, query: string, token = ''): Promise<unknown> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = (await answer.json()) as { data?: unknown; errors?: unknown };
  if (errors !== undefined || data == null) throw new Error(`${url} answered ${JSON.stringify(errors)}`);
  return data;
}

async function perSecond(
  url: string,
  ask: (url: string, index: number) => Promise<unknown>,
): Promise<number> {
  let index = 0;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (index < reads) await ask(url, (index += 1));
    }),
  );
  return (index * 1000) / (performance.now() - began);
}

async function startBare(schema: string, data: unknown): Promise<{ url: string; close(): Promise<void> }> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('support/bare-graphql.js', import.meta.url))],
    {
      env: { BARE_SCHEMA: schema, BARE_DATA: JSON.stringify(data) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { url: `http://127.0.0.1:${line.toString().trim()}/`, close: () => ended(child, 'SIGKILL') };
}
