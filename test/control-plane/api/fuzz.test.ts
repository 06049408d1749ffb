// The API asked at random, from its schema: whatever comes, every error has a code, nothing hangs, what is refused has
// changed nothing, and nothing is said of another space. POOLWRIGHT_FUZZ=20000 asks more, POOLWRIGHT_FUZZ_SEED=7 the same
// again.
import { buildSchema } from 'graphql';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorCodes } from '../../../protocol/errors.js';
import { generateKeyAndRequest } from '../../../protocol/requests.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { askerFor, type Answer, type Asker } from './support/ask.js';
import { createGenerator, seeded, type Question } from './support/generator.js';

const schema = buildSchema(
  readFileSync(new URL('../../../control-plane/api/schema.graphql', import.meta.url), 'utf8'),
);
const rounds = Number(process.env['POOLWRIGHT_FUZZ'] ?? 300);
const seed = Number(process.env['POOLWRIGHT_FUZZ_SEED'] ?? 20_261_125);

/** Stands in everything of the other space that has a text. */
const mark = 'Hidden8Mark';

let folder: string;
let plane: TestPlane;
let admin: Asker;
let ids: string[];
const people: { name: string; headers: Record<string, string> }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-fuzz-'));
  const much = { perSecond: 100_000, burst: 100_000 };
  plane = await startControlPlane(folder, { serve: { rates: { key: much, address: much } } });
  admin = await askerFor(plane, plane.key);
  ids = [plane.pool, '01ARZ3NDEKTSV4RRFFQ69G5FAV', '00000000000000000000000001', 'root', 'nothing'];
  for (const space of ['a', 'b']) await furnish(space);
  for (const [name, role, space] of [
    ['administrator', 'ADMINISTRATOR', 'root'],
    ['operator of a', 'OPERATOR', 'a'],
    ['reader of a', 'READER', 'a'],
  ] as const) {
    const { apiKeyCreate: key } = await admin.data<{ apiKeyCreate: { id: string; secret: string } }>(
      'mutation ($input: ApiKeyInput!) { apiKeyCreate(input: $input) { id secret } }',
      { input: { name, role, spaces: [space] } },
    );
    people.push({ name, headers: await headersFor(key) });
  }
  people.push({ name: 'nobody', headers: {} });
}, 180_000);
afterAll(async () => {
  await plane.close();
  await rm(folder, { recursive: true });
});

/** A pool, stacks that depend on one another, runs, variables and a lock, each with a text that is seen only there. */
async function furnish(space: string): Promise<void> {
  const text = space === 'b' ? mark : 'open';
  await admin.data('mutation ($input: SpaceInput!) { spaceCreate(input: $input) { id } }', {
    input: { id: space, name: text, description: text },
  });
  const { request } = await generateKeyAndRequest();
  const { workerPoolCreate: pool } = await admin.data<{ workerPoolCreate: { id: string } }>(
    `mutation ($csr: String!, $name: String!, $space: ID) {
      workerPoolCreate(name: $name, certificateSigningRequest: $csr, space: $space, description: $name, labels: [$name]) { id }
    }`,
    { csr: request, name: `pool ${text}`, space },
  );
  ids.push(space, pool.id);
  for (const part of ['one', 'two']) {
    const id = `${space}-${part}`;
    await admin.data('mutation ($input: StackInput!) { stackCreate(input: $input) { id } }', {
      input: {
        id,
        name: `${text} ${part}`,
        space,
        workerPool: pool.id,
        tool: 'COMMANDS',
        planCommands: [`echo ${text}`],
        description: text,
        labels: [text],
        repository: `https://git.example/${text}.git`,
      },
    });
    await admin.data(
      'mutation ($id: ID!, $config: ConfigInput!) { stackConfigAdd(stack: $id, config: $config) { id } }',
      { id, config: { id: `V_${text}`, type: 'ENVIRONMENT_VARIABLE', value: text, writeOnly: false } },
    );
    const { taskCreate: run } = await admin.data<{ taskCreate: { id: string } }>(
      'mutation ($id: ID!, $command: String!) { taskCreate(stack: $id, command: $command) { id } }',
      { id, command: `echo ${text}` },
    );
    const { stackWebhookCreate: webhook } = await admin.data<{ stackWebhookCreate: { id: string } }>(
      'mutation ($id: ID!) { stackWebhookCreate(stack: $id, provider: GENERIC) { id } }',
      { id },
    );
    const { stackScheduledRunCreate: schedule } = await admin.data<{
      stackScheduledRunCreate: { id: string };
    }>(
      'mutation ($id: ID!, $name: String) { stackScheduledRunCreate(stack: $id, input: { name: $name, cronSchedule: "@yearly" }) { id } }',
      { id, name: text },
    );
    ids.push(id, run.id, webhook.id, schedule.id);
  }
  const { stackDependencyCreate: dependency } = await admin.data<{ stackDependencyCreate: { id: string } }>(
    'mutation ($input: StackDependencyInput!) { stackDependencyCreate(input: $input) { id } }',
    { input: { stackId: `${space}-one`, dependsOnStackId: `${space}-two` } },
  );
  ids.push(dependency.id);
  await admin.data('mutation ($id: ID!, $note: String) { stackLock(id: $id, note: $note) { id } }', {
    id: `${space}-two`,
    note: text,
  });
}

async function headersFor(key: object): Promise<Record<string, string>> {
  const answer = await post(
    JSON.stringify({
      query: 'mutation ($id: ID!, $secret: String!) { apiKeyUser(id: $id, secret: $secret) { jwt } }',
      variables: key,
    }),
  );
  const { jwt } = (answer.json.data?.['apiKeyUser'] ?? {}) as { jwt: string };
  return { authorization: `Bearer ${jwt}` };
}

async function post(
  body: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string; json: Answer }> {
  const response = await fetch(`${plane.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  return { status: response.status, text, json: JSON.parse(text) as Answer };
}

/** What is wrong with an answer, whatever the question was; undefined when nothing is. */
function faultOf({ status, json }: { status: number; json: Answer & { code?: string } }): string | undefined {
  if (status >= 500) return `status ${String(status)}`;
  if (json.errors === undefined && json.data === undefined && json.code === undefined) return 'says nothing';
  for (const { message, extensions } of json.errors ?? []) {
    const code = extensions?.code;
    if (code === undefined || !Object.hasOwn(errorCodes, code)) return `an error without a code: ${message}`;
    if (code === 'INTERNAL') return `INTERNAL: ${message}`;
  }
  return undefined;
}

/** All that there is of the other space, as an administrator sees it; what moves by itself is left out. */
const inventory = (space: string) => `{
  space(id: "${space}") { id name description parentSpace }
  searchWorkerPools(input: { predicates: [{ field: "space", constraint: { stringMatches: ["${space}"] } }] }) {
    edges { node { id name description labels config driftDetectionRunLimit deleted } } }
  searchStacks(input: { predicates: [{ field: "space", constraint: { stringMatches: ["${space}"] } }] }) {
    edges { node { id name description labels repository branch disabled lockedBy lockNote planCommands workerPool { id }
      config { id value } webhooks { id } scheduledRuns { id name } scheduledTasks { id command } dependsOn { id } isDependedOnBy { id }
      runs { id state } proposedRuns { id state } tasks { id state prioritized } } } }
}`;

const newestChange = async () =>
  JSON.stringify(await admin.data('{ searchAuditEntries(input: { first: 1 }) { edges { node { id } } } }'));

describe(`the API asked ${String(rounds)} times at random, from the seed ${String(seed)}`, () => {
  it('answers with codes, changes nothing that it refuses, and says nothing of another space', async () => {
    const random = seeded(seed);
    const texts = [
      'true',
      'NAME',
      'open',
      'id',
      'name',
      'state',
      'space',
      'createdAt',
      'position',
      'stringMatches',
    ];
    const question = createGenerator(schema, { ids, texts }, random);
    const before = await admin.data(inventory('b'));
    const faults: string[] = [];
    const seen = { answered: 0, refused: 0 };
    let last = await newestChange();
    for (let round = 0; round < rounds && faults.length < 5; round += 1) {
      const asked: Question = question(random() < 0.5 ? 'query' : 'mutation');
      // An administrator may end what the rounds stand on; what is his to change is asked last.
      const who = people[1 + Math.floor(random() * 3)]!;
      const say = (fault: string, text = '') =>
        faults.push(
          `round ${String(round)}, ${who.name}: ${fault}\n${JSON.stringify(asked)}\n${text.slice(0, 1000)}`,
        );
      const answer = await post(
        JSON.stringify({ query: asked.query, variables: asked.variables }),
        who.headers,
      );
      const fault = faultOf(answer);
      if (fault !== undefined) say(fault, answer.text);
      if (answer.text.includes(mark)) say('told of another space', answer.text);
      if (answer.json.errors === undefined) seen.answered += 1;
      else seen.refused += 1;
      if (asked.operation === 'query') continue;
      const now = await newestChange();
      // Refused by the operation itself, and not because a part of the answer could not be told.
      const refused = answer.json.errors?.some(({ path }) => path === undefined || path.length === 1);
      if (refused === true && now !== last) say('refused, and changed something', answer.text);
      last = now;
    }
    expect(faults.join('\n\n')).toBe('');
    expect(await admin.data(inventory('b'))).toEqual(before);
    // Neither all right nor all wrong: otherwise little is asked.
    expect(seen.answered).toBeGreaterThan(rounds / 20);
    expect(seen.refused).toBeGreaterThan(rounds / 20);
  }, 3_600_000);

  it('answers an administrator with codes, too, and works on', async () => {
    const question = createGenerator(
      schema,
      { ids, texts: ['true', 'NAME', 'open', 'id'] },
      seeded(seed + 1),
    );
    const faults: string[] = [];
    const [administrator] = people;
    for (let round = 0; round < rounds && faults.length < 5; round += 1) {
      const asked = question(round % 2 === 0 ? 'query' : 'mutation');
      const answer = await post(
        JSON.stringify({ query: asked.query, variables: asked.variables }),
        administrator?.headers,
      );
      const fault = faultOf(answer);
      if (fault !== undefined)
        faults.push(
          `round ${String(round)}: ${fault}\n${JSON.stringify(asked)}\n${answer.text.slice(0, 1000)}`,
        );
    }
    expect(faults.join('\n\n')).toBe('');
    expect((await fetch(`${plane.url}/readyz`)).status).toBe(200);
    expect(await admin.code('{ viewer { id } }')).toBeUndefined();
  }, 3_600_000);
});

describe('a request that is none', () => {
  const deep = (count: number) => '['.repeat(count) + ']'.repeat(count);
  const query = 'query ($v: ID!) { stack(id: $v) { id } }';
  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['a number', '7'],
    ['null', 'null'],
    ['a batch', '[{"query":"{ viewer { id } }"}]'],
    ['a query that is a number', '{"query":7}'],
    ['variables that are a list', `{"query":${JSON.stringify(query)},"variables":[1]}`],
    ['variables that are very deep', `{"query":${JSON.stringify(query)},"variables":{"v":${deep(100_000)}}}`],
    ['a literal that is very deep', JSON.stringify({ query: `{ stack(id: ${deep(2400)}) { id } }` })],
    ['a query that is very deep', JSON.stringify({ query: `${'{ a '.repeat(2400)}${'}'.repeat(2400)}` })],
    ['a fragment that holds itself', JSON.stringify({ query: 'fragment f on Query { ...f } { ...f }' })],
    [
      'an operation that is not there',
      JSON.stringify({ query: 'query a { viewer { id } }', operationName: 'b' }),
    ],
    ['a subscription', JSON.stringify({ query: 'subscription { viewer { id } }' })],
    ['names that objects have', JSON.stringify({ query: '{ __proto__ constructor toString }' })],
    ['bytes that are no text', '\u0000\u0001\ufffd'],
    ['many times the same', JSON.stringify({ query: `{ ${'viewer { id } '.repeat(1200)} }` })],
    [
      'many times the same under other names',
      JSON.stringify({
        query: `{ ${Array.from({ length: 1200 }, (_, n) => `a${String(n)}: viewer { id }`).join(' ')} }`,
      }),
    ],
    [
      'too many values',
      JSON.stringify({
        query:
          '{ searchStacks(input: { first: 500 }) { edges { node { runs { history { note username state } } } } } }',
      }),
    ],
    [
      'too much text of logs',
      JSON.stringify({
        query: '{ stack(id: "a-one") { tasks { logs(state: PERFORMING) { messages { message } } } } }',
      }),
    ],
    ['too long', JSON.stringify({ query: `# ${'x'.repeat(1024 * 1024)}` })],
  ])('is refused with a code: %s', async (_what, body) => {
    const answer = await post(body, people[0]?.headers);
    expect(faultOf(answer)).toBeUndefined();
    expect(answer.json.data ?? null).toBeNull();
  });

  it('of another type or method is refused', async () => {
    for (const init of [
      { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}' },
      { method: 'GET' },
      { method: 'DELETE' },
    ])
      expect((await fetch(`${plane.url}/graphql?query={viewer{id}}`, init)).status).toBeGreaterThanOrEqual(
        400,
      );
  });
});
