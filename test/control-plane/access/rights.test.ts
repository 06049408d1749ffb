// Every query and mutation as every kind of key, on things of two spaces: what one may not see is not there, what one
// may not do is refused, and nothing is left out of the table.
import { buildSchema } from 'graphql';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKeyAndRequest } from '../../../protocol/requests.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { askerFor, type Answer, type Asker } from '../api/support/ask.js';

const schema = buildSchema(
  readFileSync(new URL('../../../control-plane/api/schema.graphql', import.meta.url), 'utf8'),
);

interface Things {
  readonly space: string;
  readonly pool: string;
  readonly stack: string;
  readonly other: string;
  readonly run: string;
}

type Need = 'nobody' | 'any' | 'read' | 'operate' | 'administer';

/**
 * What each operation needs, and a call of it on things of a space, which are really there: what is not there is not
 * there for anybody. Calls of whoever may fail later, change nothing, or are made on a thing of their own.
 */
const table: Readonly<Record<string, readonly [Need, (of: Things) => string | Promise<string>]>> = {
  viewer: ['any', () => '{ viewer { id } }'],
  spaces: ['any', () => '{ spaces { id } }'],
  space: ['read', ({ space }) => `{ space(id: "${space}") { id } }`],
  apiKeys: ['administer', () => '{ apiKeys { id secret } }'],
  searchAuditEntries: ['any', () => '{ searchAuditEntries(input: {}) { edges { node { id space } } } }'],
  workerPools: ['any', () => '{ workerPools { id } }'],
  workerPool: ['read', ({ pool }) => `{ workerPool(id: "${pool}") { id } }`],
  searchWorkerPools: ['any', () => '{ searchWorkerPools(input: {}) { edges { node { id } } } }'],
  publicWorkerPool: ['any', () => '{ publicWorkerPool { id } }'],
  alarms: ['any', () => '{ alarms { id } }'],
  stack: ['read', ({ stack }) => `{ stack(id: "${stack}") { id } }`],
  searchStacks: ['any', () => '{ searchStacks(input: {}) { edges { node { id } } } }'],
  apiKeyUser: ['nobody', () => 'mutation { apiKeyUser(id: "x", secret: "x") { jwt } }'],
  apiKeyCreate: ['administer', () => 'mutation { apiKeyCreate(input: { name: "", role: READER }) { id } }'],
  apiKeyRevoke: ['administer', () => 'mutation { apiKeyRevoke(id: "nobody") { id } }'],
  apiKeySessionsEnd: ['administer', () => 'mutation { apiKeySessionsEnd(id: "nobody") { id } }'],
  spaceCreate: ['administer', () => 'mutation { spaceCreate(input: { name: "" }) { id } }'],
  spaceUpdate: [
    'administer',
    ({ space }) => `mutation { spaceUpdate(id: "${space}", input: { name: "" }) { id } }`,
  ],
  spaceDelete: ['administer', ({ space }) => `mutation { spaceDelete(id: "${space}") { id } }`],
  workerPoolCreate: [
    'administer',
    () => 'mutation { workerPoolCreate(name: "x", certificateSigningRequest: "x") { id } }',
  ],
  workerPoolUpdate: [
    'administer',
    ({ pool }) => `mutation { workerPoolUpdate(id: "${pool}", name: "") { id } }`,
  ],
  workerPoolReset: [
    'administer',
    ({ pool }) => `mutation { workerPoolReset(id: "${pool}", certificateSigningRequest: "x") { id } }`,
  ],
  workerPoolReleasePublish: [
    'administer',
    ({ pool }) => `mutation { workerPoolReleasePublish(id: "${pool}", payload: "", signature: "") { id } }`,
  ],
  workerPoolReleaseWithdraw: [
    'administer',
    ({ pool }) => `mutation { workerPoolReleaseWithdraw(id: "${pool}") { id } }`,
  ],
  workerPoolCycle: ['operate', ({ pool }) => `mutation { workerPoolCycle(id: "${pool}") }`],
  workerPoolDelete: ['administer', ({ pool }) => `mutation { workerPoolDelete(id: "${pool}") { id } }`],
  workerDrainSet: [
    'operate',
    ({ pool }) => `mutation { workerDrainSet(workerPool: "${pool}", id: "nobody", drain: true) { id } }`,
  ],
  workerPoolDrainSet: [
    'operate',
    ({ pool }) => `mutation { workerPoolDrainSet(id: "${pool}", drain: true) { id } }`,
  ],
  stackCreate: [
    'operate',
    ({ space }) => `mutation { stackCreate(input: { name: "", space: "${space}" }) { id } }`,
  ],
  stackUpdate: [
    'operate',
    ({ stack }) => `mutation { stackUpdate(id: "${stack}", input: { name: "" }) { id } }`,
  ],
  stackDelete: ['operate', ({ stack }) => `mutation { stackDelete(id: "${stack}") { id } }`],
  stackConfigAdd: [
    'operate',
    ({ stack }) =>
      `mutation { stackConfigAdd(stack: "${stack}", config: { id: "?", type: ENVIRONMENT_VARIABLE, value: "", writeOnly: false }) { id } }`,
  ],
  stackConfigDelete: [
    'operate',
    ({ stack }) => `mutation { stackConfigDelete(stack: "${stack}", id: "X") { id } }`,
  ],
  stackLock: ['operate', ({ other }) => `mutation { stackLock(id: "${other}") { id } }`],
  stackUnlock: ['operate', ({ stack }) => `mutation { stackUnlock(id: "${stack}") { id } }`],
  stackEnable: ['operate', ({ stack }) => `mutation { stackEnable(id: "${stack}") { id } }`],
  stackDisable: ['operate', ({ other }) => `mutation { stackDisable(id: "${other}") { id } }`],
  stackDependencyCreate: [
    'operate',
    ({ stack, other }) =>
      `mutation { stackDependencyCreate(input: { stackId: "${stack}", dependsOnStackId: "${other}" }) { id } }`,
  ],
  stackDependencyDelete: [
    'operate',
    async (of) => `mutation { stackDependencyDelete(id: "${await dependencyOf(of)}") { id } }`,
  ],
  stackDependenciesAddReference: [
    'operate',
    async (of) =>
      `mutation { stackDependenciesAddReference(stackDependencyID: "${await dependencyOf(of)}", reference: { outputName: "", inputName: "A" }) { id } }`,
  ],
  stackDependenciesDeleteReference: [
    'operate',
    async (of) => `mutation { stackDependenciesDeleteReference(id: "${await referenceOf(of)}") { id } }`,
  ],
  stackWebhookCreate: [
    'operate',
    ({ stack }) => `mutation { stackWebhookCreate(stack: "${stack}", provider: GITHUB) { id secret } }`,
  ],
  stackWebhookDelete: [
    'operate',
    ({ stack }) => `mutation { stackWebhookDelete(stack: "${stack}", id: "nothing") { id } }`,
  ],
  ...Object.fromEntries(
    (['Run', 'Task'] as const)
      .flatMap((kind) => {
        const name = `stackScheduled${kind}`;
        const one = `scheduled${kind}: "nothing"`;
        const input = `input: { ${kind === 'Run' ? '' : 'command: "true", '}cronSchedule: "never" }`;
        return [
          [`${name}Create`, (stack: string) => `${name}Create(stack: "${stack}", ${input})`],
          [`${name}Update`, (stack: string) => `${name}Update(stack: "${stack}", ${one}, ${input})`],
          [`${name}Delete`, (stack: string) => `${name}Delete(stack: "${stack}", ${one})`],
        ] as const;
      })
      .map(([name, call]) => [
        name,
        ['operate', ({ stack }: Things) => `mutation { ${call(stack)} { id } }`] as const,
      ]),
  ),
  runTrigger: ['operate', ({ stack }) => `mutation { runTrigger(stack: "${stack}", runType: TASK) { id } }`],
  runConfirm: [
    'operate',
    ({ stack, run }) => `mutation { runConfirm(stack: "${stack}", run: "${run}") { id } }`,
  ],
  runDiscard: [
    'operate',
    ({ stack, run }) => `mutation { runDiscard(stack: "${stack}", run: "${run}") { id } }`,
  ],
  runCancel: ['operate', ({ stack }) => `mutation { runCancel(stack: "${stack}", run: "nothing") { id } }`],
  runStop: ['operate', ({ stack }) => `mutation { runStop(stack: "${stack}", run: "nothing") { id } }`],
  runRetry: ['operate', ({ stack, run }) => `mutation { runRetry(stack: "${stack}", run: "${run}") { id } }`],
  runPromote: [
    'operate',
    ({ stack, run }) => `mutation { runPromote(stack: "${stack}", run: "${run}") { id } }`,
  ],
  runPrioritizeSet: [
    'operate',
    ({ stack, run }) =>
      `mutation { runPrioritizeSet(stack: "${stack}", run: "${run}", prioritize: false) { id } }`,
  ],
  taskCreate: ['operate', ({ stack }) => `mutation { taskCreate(stack: "${stack}", command: "") { id } }`],
  uploadLocalWorkspace: [
    'operate',
    ({ stack }) => `mutation { uploadLocalWorkspace(stack: "${stack}") { id } }`,
  ],
  runProposeLocalWorkspace: [
    'operate',
    ({ stack }) => `mutation { runProposeLocalWorkspace(stack: "${stack}", workspace: "x") { id } }`,
  ],
};

const roles = {
  nobody: undefined,
  'reader of A': { role: 'READER', spaces: ['a'] },
  'operator of A': { role: 'OPERATOR', spaces: ['a'] },
  'reader of all': { role: 'READER', spaces: ['root'] },
  'operator of all': { role: 'OPERATOR', spaces: ['root'] },
  administrator: { role: 'ADMINISTRATOR', spaces: ['root'] },
} as const;
type Role = keyof typeof roles;

let folder: string;
let plane: TestPlane;
let admin: Asker;
const askers = new Map<Role, Asker>();
const things: Record<'a' | 'b', Things> = {} as never;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-rights-'));
  plane = await startControlPlane(folder);
  admin = await askerFor(plane, plane.key);
  const { request } = await generateKeyAndRequest();
  for (const name of ['a', 'b'] as const) {
    await admin.data(`mutation { spaceCreate(input: { id: "${name}", name: "${name}" }) { id } }`);
    // Pool and stacks one level deeper: rights count for what is below.
    const space = `${name}-inner`;
    await admin.data(
      `mutation { spaceCreate(input: { id: "${space}", name: "inner", parentSpace: "${name}" }) { id } }`,
    );
    const { workerPoolCreate: pool } = await admin.data<{ workerPoolCreate: { id: string } }>(
      `mutation ($csr: String!) { workerPoolCreate(name: "${space}", certificateSigningRequest: $csr, space: "${name}") { id } }`,
      { csr: request },
    );
    const stacks = [];
    for (const part of ['one', 'two']) {
      const { stackCreate } = await admin.data<{ stackCreate: { id: string } }>(
        `mutation ($input: StackInput!) { stackCreate(input: $input) { id } }`,
        {
          input: {
            name: `${name} ${part}`,
            space,
            workerPool: pool.id,
            tool: 'COMMANDS',
            planCommands: ['true'],
          },
        },
      );
      stacks.push(stackCreate.id);
    }
    const [stack = '', other = ''] = stacks;
    const { runTrigger } = await admin.data<{ runTrigger: { id: string } }>(
      `mutation { runTrigger(stack: "${stack}") { id } }`,
    );
    things[name] = { space, pool: pool.id, stack, other, run: runTrigger.id };
  }
  for (const [role, key] of Object.entries(roles) as [Role, (typeof roles)[Role]][]) {
    if (key === undefined) {
      askers.set(role, await askerFor(plane));
      continue;
    }
    const { apiKeyCreate } = await admin.data<{ apiKeyCreate: { id: string; secret: string } }>(
      'mutation ($input: ApiKeyInput!) { apiKeyCreate(input: $input) { id secret } }',
      { input: { name: role, ...key } },
    );
    askers.set(role, await askerFor(plane, apiKeyCreate));
  }
}, 180_000);
afterAll(async () => {
  await plane.close();
  await rm(folder, { recursive: true });
});

interface Dependency {
  readonly id: string;
  readonly references: readonly { readonly id: string }[];
}

/** The dependency between the stacks of a space, made where it is not there or was deleted. */
async function dependencyOf({ stack, other }: Pick<Things, 'stack' | 'other'>): Promise<string> {
  return (
    (await dependenciesOf(stack))[0]?.id ??
    (
      await admin.data<{ stackDependencyCreate: { id: string } }>(
        `mutation { stackDependencyCreate(input: { stackId: "${stack}", dependsOnStackId: "${other}" }) { id } }`,
      )
    ).stackDependencyCreate.id
  );
}

/** The same for a reference of that dependency. */
async function referenceOf(of: Things): Promise<string> {
  const id = await dependencyOf(of);
  return (
    (await dependenciesOf(of.stack))[0]?.references[0]?.id ??
    (
      await admin.data<{ stackDependenciesAddReference: { id: string } }>(
        `mutation { stackDependenciesAddReference(stackDependencyID: "${id}", reference: { outputName: "a", inputName: "A" }) { id } }`,
      )
    ).stackDependenciesAddReference.id
  );
}

async function dependenciesOf(stack: string): Promise<readonly Dependency[]> {
  const answer = await admin.data<{ stack: { dependsOn: Dependency[] } }>(
    `{ stack(id: "${stack}") { dependsOn { id references { id } } } }`,
  );
  return answer.stack.dependsOn;
}

type Outcome = 'unauthorized' | 'forbidden' | 'hidden' | 'allowed';

function outcomeOf(name: string, { data, errors }: Answer): Outcome {
  const [error] = errors ?? [];
  if (error?.message === 'unauthorized') return 'unauthorized';
  if (error?.extensions?.code === 'FORBIDDEN') return 'forbidden';
  if (/^There is no (stack|worker pool|dependency|reference) /.test(error?.message ?? '')) return 'hidden';
  return error === undefined && data?.[name] === null ? 'hidden' : 'allowed';
}

function expected(need: Need, role: Role, of: 'a' | 'b', name: string): Outcome {
  if (need === 'nobody') return 'unauthorized';
  if (role === 'nobody') return 'unauthorized';
  if (need === 'any') return 'allowed';
  if (role === 'administrator') return 'allowed';
  const sees = of === 'a' || role.endsWith('of all');
  // What is made anew is of no thing that could be hidden, only of a space.
  const ofThing =
    /^(space|stack|workerPool|worker|run|task|upload)/.test(name) && !/^(space|\w+Create$)/.test(name);
  if (need === 'read') return sees ? 'allowed' : 'hidden';
  const isThing =
    ofThing ||
    ['space', 'taskCreate'].includes(name) ||
    /^stack(Dependency|Webhook|ScheduledRun|ScheduledTask)Create$/.test(name);
  if (!sees && isThing) return 'hidden';
  if (need === 'administer') return 'forbidden';
  return role.startsWith('operator') && sees ? 'allowed' : 'forbidden';
}

describe('every operation', () => {
  it('is in the table', () => {
    const all = [schema.getQueryType()!, schema.getMutationType()!].flatMap((type) =>
      Object.keys(type.getFields()),
    );
    expect(Object.keys(table).sort()).toEqual(all.sort());
  });

  it.each(Object.keys(table))('%s does for each key what it may', async (name) => {
    const [need, call] = table[name]!;
    for (const of of ['b', 'a'] as const) {
      for (const [role, ask] of askers) {
        const answer = await ask(await call(things[of]));
        const text = `${role} on ${of}: ${JSON.stringify(answer)}`;
        expect(`${role} on ${of}: ${outcomeOf(name, answer)}`, text).toBe(
          `${role} on ${of}: ${expected(need, role, of, name)}`,
        );
      }
    }
  });
});

describe('a stack', () => {
  it('is not moved to where one has no right, nor given a pool that is not there for it', async () => {
    const ask = askers.get('operator of A')!;
    const { a, b } = things;
    const update = (input: string) =>
      ask.code(`mutation { stackUpdate(id: "${a.other}", input: ${input}) { id } }`);
    expect(await update(`{ space: "${b.space}" }`)).toBe('FORBIDDEN');
    expect(await update(`{ workerPool: "${b.pool}" }`)).toBe('NOT_FOUND');
    expect(
      await admin.code(
        `mutation { stackUpdate(id: "${a.other}", input: { workerPool: "${b.pool}" }) { id } }`,
      ),
    ).toBe('INVALID_ARGUMENT');
    const create = `mutation { stackCreate(input: { name: "of A", space: "${a.space}", workerPool: "${b.pool}", tool: COMMANDS, planCommands: ["true"] }) { id } }`;
    expect(await ask.code(create)).toBe('NOT_FOUND');
  });

  it('has no runs, workspaces and webhooks of another one, whoever names them together', async () => {
    const { a, b } = things;
    const { uploadLocalWorkspace: upload, stackWebhookCreate: webhook } = await admin.data<
      Record<'uploadLocalWorkspace' | 'stackWebhookCreate', { id: string }>
    >(
      `mutation { uploadLocalWorkspace(stack: "${b.stack}") { id } stackWebhookCreate(stack: "${b.stack}", provider: GITHUB) { id } }`,
    );
    const ofB = `stack: "${a.stack}", run: "${b.run}"`;
    const ask = askers.get('operator of A')!;
    for (const call of [
      ...['runConfirm', 'runDiscard', 'runCancel', 'runStop', 'runRetry', 'runPromote'].map(
        (name) => `${name}(${ofB})`,
      ),
      `runPrioritizeSet(${ofB}, prioritize: true)`,
      `runTrigger(stack: "${a.stack}", workspace: "${upload.id}")`,
      `runProposeLocalWorkspace(stack: "${a.stack}", workspace: "${upload.id}")`,
      `stackWebhookDelete(stack: "${a.stack}", id: "${webhook.id}")`,
    ])
      expect(await ask.code(`mutation { ${call} { id } }`), call).toBe('NOT_FOUND');
    expect(await ask.data(`{ stack(id: "${a.stack}") { run(id: "${b.run}") { id } } }`)).toEqual({
      stack: { run: null },
    });
    const { stack } = await admin.data<{ stack: { webhooks: { id: string }[] } }>(
      `{ stack(id: "${b.stack}") { webhooks { id } } }`,
    );
    expect(stack.webhooks.map(({ id }) => id)).toContain(webhook.id);
  });
});

describe('what joins two stacks', () => {
  it('is for those who have rights at both ends, and is taken away at the end that has it', async () => {
    const { a, b } = things;
    const ask = askers.get('operator of A')!;
    const join = (stack: string, on: string) =>
      `mutation { stackDependencyCreate(input: { stackId: "${stack}", dependsOnStackId: "${on}" }) { id } }`;
    expect(await ask.code(join(a.other, b.other))).toBe('NOT_FOUND');
    expect(await ask.code(join(b.other, a.other))).toBe('NOT_FOUND');
    const refer = (id: string) =>
      `mutation { stackDependenciesAddReference(stackDependencyID: "${id}", reference: { outputName: "a", inputName: "A" }) { id } }`;
    const disjoin = (id: string) => `mutation { stackDependencyDelete(id: "${id}") { id } }`;
    const there = await dependencyOf({ stack: b.other, other: a.other });
    expect(await ask.code(refer(there))).toBe('NOT_FOUND');
    expect(await ask.code(disjoin(there))).toBe('NOT_FOUND');
    await admin.data(disjoin(there));
    const here = await dependencyOf({ stack: a.other, other: b.other });
    expect(await ask.code(refer(here))).toBe('NOT_FOUND');
    const { stackDependenciesAddReference: made } = await admin.data<{
      stackDependenciesAddReference: { id: string };
    }>(refer(here));
    expect(await ask.code(`mutation { stackDependenciesDeleteReference(id: "${made.id}") { id } }`)).toBe(
      'NOT_FOUND',
    );
    expect(await ask.code(disjoin(here))).toBeUndefined();
  });
});

describe('the public pool', () => {
  it("is an administrator's to change", async () => {
    const { publicWorkerPool } = await admin.data<{ publicWorkerPool: { id: string } }>(
      '{ publicWorkerPool { id } }',
    );
    const { id } = publicWorkerPool;
    for (const role of ['reader of all', 'operator of all'] as const)
      for (const call of [
        `workerPoolCycle(id: "${id}")`,
        `workerPoolDrainSet(id: "${id}", drain: true) { id }`,
      ])
        expect(await askers.get(role)!.code(`mutation { ${call} }`), `${role}: ${call}`).toBe('FORBIDDEN');
  });
});

describe('a space', () => {
  it('does not come back under the id of one that was deleted, whose keys may still be there', async () => {
    const make = 'mutation { spaceCreate(input: { id: "gone", name: "Gone" }) { id } }';
    await admin.data(make);
    await admin.data('mutation { spaceDelete(id: "gone") { id } }');
    expect(await admin.code(make)).toBe('CONFLICT');
    expect(await admin.data('{ space(id: "gone") { id } }')).toEqual({ space: null });
  });
});

describe('a key', () => {
  const whoami = '{ viewer { id } }';
  async function fresh(): Promise<{ id: string; ask: Asker; again: () => Promise<Asker> }> {
    const { apiKeyCreate: key } = await admin.data<{ apiKeyCreate: { id: string; secret: string } }>(
      'mutation { apiKeyCreate(input: { name: "short", role: READER }) { id secret } }',
    );
    return { id: key.id, ask: await askerFor(plane, key), again: () => askerFor(plane, key) };
  }

  it('that is revoked counts no more, nor do its sessions', async () => {
    const { id, ask, again } = await fresh();
    expect(await ask.code(whoami)).toBeUndefined();
    await admin.data('mutation ($id: ID!) { apiKeyRevoke(id: $id) { revokedAt } }', { id });
    expect(await ask.code(whoami)).toBe('UNAUTHORIZED');
    await expect(again()).rejects.toThrow();
  });

  it('that is revoked sees no more of a page that it follows', async () => {
    const { apiKeyCreate: key } = await admin.data<{ apiKeyCreate: { id: string; secret: string } }>(
      'mutation { apiKeyCreate(input: { name: "follower", role: READER }) { id secret } }',
    );
    const signedIn = await fetch(`${plane.url}/sign-in`, {
      method: 'POST',
      redirect: 'manual',
      headers: { 'sec-fetch-site': 'same-origin' },
      body: new URLSearchParams(key),
    });
    const cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
    const live = await fetch(`${plane.url}/live?view=stacks`, { headers: { cookie } });
    expect(live.status).toBe(200);
    await admin.data('mutation ($id: ID!) { apiKeyRevoke(id: $id) { id } }', { id: key.id });
    await admin.data(`mutation { stackDisable(id: "${things.b.stack}") { id } }`);
    await admin.data(`mutation { stackEnable(id: "${things.b.stack}") { id } }`);
    // It ends by itself, and has told of nothing but its own beginning.
    expect((await live.text()).match(/event: /g)).toHaveLength(1);
  });

  it('ends its own sessions and opens new ones', async () => {
    const { id, ask, again } = await fresh();
    await ask.data('mutation ($id: ID!) { apiKeySessionsEnd(id: $id) { id } }', { id });
    expect(await ask.code(whoami)).toBe('UNAUTHORIZED');
    expect(await (await again()).code(whoami)).toBeUndefined();
  });

  it('of the last administrator is not revoked', async () => {
    const { apiKeys } = await admin.data<{ apiKeys: { id: string; name: string; secret: string | null }[] }>(
      '{ apiKeys { id name secret } }',
    );
    expect(apiKeys.every(({ secret }) => secret === null)).toBe(true);
    // The table's own administrator goes first; then only the one of the start is left.
    const spare = apiKeys.find(({ id, name }) => name === 'administrator' && id !== plane.key.id);
    await admin.data('mutation ($id: ID!) { apiKeyRevoke(id: $id) { id } }', { id: spare?.id });
    expect(
      await admin.code('mutation ($id: ID!) { apiKeyRevoke(id: $id) { id } }', { id: plane.key.id }),
    ).toBe('CONFLICT');
  });
});

describe('the audit log', () => {
  it('says who changed what, before and after, and never a secret', async () => {
    const { stack } = things.a;
    await askers.get('operator of A')!.data(`mutation { stackLock(id: "${stack}", note: "mine") { id } }`);
    await admin.data(
      `mutation { stackConfigAdd(stack: "${stack}", config: { id: "TOKEN", type: ENVIRONMENT_VARIABLE, value: "hunter2", writeOnly: true }) { id } }`,
    );
    const { searchAuditEntries } = await admin.data<{
      searchAuditEntries: { edges: { node: Record<string, string | number | null> }[] };
    }>(
      `{ searchAuditEntries(input: { predicates: [{ field: "resourceId", constraint: { stringMatches: ["${stack}"] } }] }) {
        edges { node { username action resourceType before after address createdAt } } } }`,
    );
    const entries = searchAuditEntries.edges.map(({ node }) => node);
    expect(entries.slice(0, 2)).toMatchObject([
      { username: 'administrator', action: 'stack.variable-set', before: null },
      { username: 'operator of A', action: 'stack.lock', resourceType: 'stack' },
    ]);
    expect(JSON.parse(String(entries[1]!['before']))).toMatchObject({ lockedBy: null });
    expect(JSON.parse(String(entries[1]!['after']))).toMatchObject({
      lockedBy: 'operator of A',
      lockNote: 'mine',
    });
    expect(entries[0]!['address']).toContain('127.0.0.1');
    expect(JSON.stringify(entries)).not.toContain('hunter2');
  });
});
