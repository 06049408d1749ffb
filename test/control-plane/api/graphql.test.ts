// The public API over HTTP, as clients that exist already use it, and as nobody should.
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKeyAndRequest } from '../../../protocol/requests.js';
import { decodeToken } from '../../../protocol/token.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { guideKeyAndRequest } from '../../protocol/support/openssl.js';

let folder: string;
let plane: TestPlane;
let jwt: string;

interface Answer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message: string; readonly extensions?: { readonly code?: string } }[];
}

async function ask(
  query: string,
  variables: object = {},
  headers: Record<string, string> = {},
  path = '/graphql',
): Promise<Answer> {
  const response = await fetch(`${plane.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${jwt}`, ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as Answer;
}

async function codeOf(query: string, variables: object = {}): Promise<string | undefined> {
  return (await ask(query, variables)).errors?.[0]?.extensions?.code;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-api-'));
  plane = await startControlPlane(folder);
  const { data } = await ask(
    'mutation ($id: ID!, $secret: String!) { apiKeyUser(id: $id, secret: $secret) { jwt validUntil } }',
    plane.key,
    {
      authorization: '',
    },
  );
  jwt = (data?.['apiKeyUser'] as { jwt: string }).jwt;
}, 180_000);
afterAll(async () => {
  await plane.close();
  await rm(folder, { recursive: true });
});

describe('credentials', () => {
  it.each([{}, { authorization: 'Bearer rubbish' }, { authorization: 'Basic x' }, { authorization: '' }])(
    'that are missing or wrong give "unauthorized": %j',
    async (headers) => {
      const response = await fetch(`${plane.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ query: '{ viewer { id } }' }),
      });
      expect(((await response.json()) as Answer).errors?.[0]?.message).toBe('unauthorized');
    },
  );

  it('of an API key that is wrong give the same, whatever is wrong', async () => {
    const query = 'mutation ($id: ID!, $secret: String!) { apiKeyUser(id: $id, secret: $secret) { jwt } }';
    for (const variables of [
      { ...plane.key, secret: 'wrong' },
      { id: 'nobody', secret: plane.key.secret },
    ]) {
      expect((await ask(query, variables)).errors?.[0]?.message).toBe('unauthorized');
    }
  });

  it('are kept in a file that nobody else reads', async () => {
    expect((await stat(join(folder, 'data', 'administrator.json'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'data', 'authority', 'authority.pem'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(folder, 'data', 'control-plane.log'), 'utf8')).not.toContain(plane.key.secret);
  });
});

describe('clients that exist', () => {
  it('declare String where an ID is expected, put a slash at the end and send headers of their own', async () => {
    const { data } = await ask(
      'query ($id: String!) { workerPool(id: $id) { id workersCount busyWorkers pendingRuns } }',
      { id: plane.pool },
      { 'x-unknown-header': 'yes' },
      '/graphql/',
    );
    expect(data).toEqual({ workerPool: { id: plane.pool, workersCount: 0, busyWorkers: 0, pendingRuns: 0 } });
    const wrong = await ask('query ($id: Int!) { workerPool(id: $id) { id } }', { id: 1 });
    expect(wrong.errors?.[0]?.message).toContain('used in position expecting type "ID!"');
  });

  it('get null for a pool that is not there', async () => {
    expect((await ask('{ workerPool(id: "01HZ0000000000000000000P00") { id } }')).data).toEqual({
      workerPool: null,
    });
  });
});

describe('worker pools', () => {
  const create =
    'mutation ($name: String!, $csr: String!) { workerPoolCreate(name: $name, certificateSigningRequest: $csr) { id name config createdAt } }';

  it('are made from a request of openssl, and give a token', async () => {
    const { csr: request } = guideKeyAndRequest();
    const { data } = await ask(create, { name: 'by openssl', csr: request });
    const pool = data?.['workerPoolCreate'] as { id: string; config: string; createdAt: number };
    expect(decodeToken(pool.config).pool).toBe(pool.id);
    expect(JSON.parse(Buffer.from(pool.config, 'base64').toString())).toHaveProperty('broker.endpoint');
    expect(Math.abs(pool.createdAt - Date.now() / 1000)).toBeLessThan(60);
  });

  it.each([
    '',
    'rubbish',
    '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
    '\u0000'.repeat(1000),
  ])('are not made from a request that is rubbish', async (csr) => {
    expect(await codeOf(create, { name: 'rubbish', csr })).toBe('INVALID_CSR');
  });

  it('have names of their own', async () => {
    const { request } = await generateKeyAndRequest();
    expect(await codeOf(create, { name: 'twice', csr: request })).toBeUndefined();
    expect(await codeOf(create, { name: 'twice', csr: request })).toBe('CONFLICT');
  });

  it('are not deleted while stacks use them', async () => {
    await plane.triggerRun({});
    const answer = await ask('mutation ($id: ID!) { workerPoolDelete(id: $id) { id } }', { id: plane.pool });
    expect(answer.errors?.[0]).toMatchObject({ extensions: { code: 'CONFLICT' } });
    expect(answer.errors?.[0]?.message).toContain('stack');
  });
});

describe('what is too much', () => {
  it('10 MB are refused, and the connection does not carry them', async () => {
    const response = await fetch(`${plane.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: `{ viewer { id } } # ${'x'.repeat(10 * 1024 * 1024)}` }),
    }).then(
      ({ status }) => status,
      // The answer may be overtaken by the end of the connection while the body is still on its way.
      () => 413,
    );
    expect(response).toBe(413);
    expect((await ask('{ viewer { name } }')).data).toEqual({ viewer: { name: 'administrator' } });
  });

  it('deep and wide queries are refused before they are run', async () => {
    const deep = `{ stack(id: "x") { ${'run(id: "x") { history { state } } '.repeat(1)} ${'workerPool { id } '.repeat(3000)} } }`;
    expect((await ask(deep)).errors?.[0]?.message).toMatch(/more than|token/i);
    const fragments = Array.from(
      { length: 12 },
      (_, n) =>
        `fragment f${String(n)} on Query { a${String(n)}: viewer { id } ...f${String(n + 1)} b${String(n)}: viewer { id } ...f${String(n + 1)} }`,
    );
    const bomb = `{ ...f0 ...f0 } ${fragments.join(' ')} fragment f12 on Query { viewer { id } }`;
    expect((await ask(bomb)).errors?.[0]?.message).toContain('more than 2000 fields');
  });

  it('what is no GraphQL is a mistake of the client', async () => {
    expect(await codeOf('{ this is not')).toBe('INVALID_ARGUMENT');
    expect(await codeOf('{ viewer { nothing } }')).toBe('INVALID_ARGUMENT');
  });
});

describe('uploads', () => {
  const upload =
    'mutation ($stack: ID!) { uploadLocalWorkspace(stack: $stack) { id uploadUrl uploadHeaders { entries { key value } } } }';

  it('are stored sealed, once, by whoever has the right, and are on record', async () => {
    const { stack } = await plane.triggerRun({});
    const { data } = await ask(upload, { stack });
    const { id, uploadUrl, uploadHeaders } = data?.['uploadLocalWorkspace'] as {
      id: string;
      uploadUrl: string;
      uploadHeaders: { entries: { key: string; value: string }[] };
    };
    const headers = Object.fromEntries(uploadHeaders.entries.map(({ key, value }) => [key, value]));
    const body = gzipSync('the content of the workspace');
    const put = (sent: Record<string, string>) => fetch(uploadUrl, { method: 'PUT', headers: sent, body });
    expect((await put({})).status).toBe(401);
    expect((await put(headers)).status).toBe(200);
    expect((await put(headers)).status).toBe(409);
    const { data: seen } = await ask(
      '{ searchAuditEntries(input: { predicates: [{ field: "action", constraint: { stringMatches: ["stack.workspace-add"] } }] }) { edges { node { resourceId space username before after } } } }',
    );
    const entry = { resourceId: stack, space: 'root', username: 'administrator', before: null };
    expect(seen).toEqual({
      searchAuditEntries: { edges: [{ node: { ...entry, after: JSON.stringify({ workspace: id }) } }] },
    });
    const stored = await readFile(join(folder, 'data', 'objects', id));
    expect(stored.includes(body.subarray(10, 30))).toBe(false);
  });
});
