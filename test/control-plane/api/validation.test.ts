// What a document may ask for: every list of the schema counts as many entries as it has, what is read for little counts
// too, and what tools ask for stays below the bounds.
import { buildSchema, getNamedType, isObjectType, parse, validate } from 'graphql';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { entries } from '../../../control-plane/api/sizes.js';
import { validationRules } from '../../../control-plane/api/validation.js';
import type { ApiClient } from '../../../control-plane/cli/api/client.js';
import { listPools } from '../../../control-plane/cli/api/pools.js';
import { runEvents } from '../../../control-plane/cli/api/run-logs.js';
import { getRun, listRuns } from '../../../control-plane/cli/api/runs.js';
import { listStacks } from '../../../control-plane/cli/api/stacks.js';
import { listVariables } from '../../../control-plane/cli/api/variables.js';
import { listWebhooks } from '../../../control-plane/cli/api/webhooks.js';
import { listWorkers } from '../../../control-plane/cli/api/workers.js';

const schema = buildSchema(
  readFileSync(new URL('../../../control-plane/api/schema.graphql', import.meta.url), 'utf8'),
);

const messages = (query: string, variables: object = {}): string[] =>
  validate(schema, parse(query), validationRules({ ...variables })).map(({ message }) => message);
const tooMuch = [expect.stringContaining('may give more than 200000 values')];

describe('the sizes of lists', () => {
  it('are known for every list of the schema that no search bounds, and for nothing else', () => {
    const lists = Object.values(schema.getTypeMap())
      .filter(({ name }) => !name.startsWith('__') && !name.endsWith('Connection'))
      .filter(isObjectType)
      .flatMap((type) =>
        Object.values(type.getFields())
          .filter((field) => String(field.type).includes('['))
          .map((field) => `${type.name}.${field.name}`),
      );
    expect(Object.keys(entries).sort()).toEqual(lists.sort());
  });

  it('are those of a search where it has one', () => {
    const searches = Object.values(schema.getTypeMap())
      .filter(isObjectType)
      .flatMap((type) => Object.values(type.getFields()))
      .filter((field) => getNamedType(field.type).name.endsWith('Connection'));
    // Only these names are looked at for `first`.
    expect(searches.filter(({ name }) => !name.startsWith('search'))).toEqual([]);
    expect(searches.length).toBeGreaterThan(3);
  });
});

describe('what would take long is refused', () => {
  const log = (name: string) => `${name}: logs(state: PLANNING) { messages { message } }`;
  const logs = (count: number) =>
    `{ stack(id: "s") { run(id: "r") { ${Array.from({ length: count }, (_, n) => log(`l${String(n)}`)).join(' ')} } } }`;
  const fragment = 'fragment f on Run { history { state } logs(state: PLANNING) { messages { message } } }';
  const stacks = (first: number, what: string) =>
    `{ searchStacks(input: { first: ${String(first)} }) { edges { node { ${what} } } } }`;

  it.each([
    ['the logs of all runs of a stack', `{ stack(id: "s") { runs { ${log('l')} } } }`],
    ['those that are asked for in a fragment', `{ stack(id: "s") { tasks { ...f } } } ${fragment}`],
    ['in one without a name', `{ stack(id: "s") { runs { ... on Run { ${log('l')} } } } }`],
    ['in one of which nobody says what it is on', `{ stack(id: "s") { runs { ... { ${log('l')} } } } }`],
    ['one log under many names', logs(50)],
    ['logs of which little is asked', stacks(50, 'run(id: "r") { logs(state: PLANNING) { finished } }')],
    ['the outputs of very many stacks', stacks(100, 'outputs { id }')],
    ['the variables of very many stacks', stacks(500, 'config { id }')],
    [
      'the hooks of very many stacks and more',
      stacks(500, 'beforeInit afterInit labels config { id } runs { id }'),
    ],
    ['the histories of very many runs', stacks(500, 'runs { history { state } }')],
  ])('%s', (_what, query) => {
    expect(messages(query)).toEqual(tooMuch);
  });

  it('by the values of its variables', () => {
    const query = `query ($input: SearchInput!) { searchStacks(input: $input) { edges { node { outputs { id } } } } }`;
    expect(messages(query, { input: { first: 10 } })).toEqual([]);
    expect(messages(query, { input: { first: 50 } })).toEqual(tooMuch);
  });
});

describe('what tools ask for is allowed', () => {
  const asking: readonly (readonly [string, (client: ApiClient) => Promise<unknown>])[] = [
    ['pool list', listPools],
    ['worker list', (client) => listWorkers(client, 'p')],
    ['stack list', listStacks],
    ['stack variable list', (client) => listVariables(client, 's')],
    ['stack webhook list', (client) => listWebhooks(client, 's')],
    ['run list', (client) => listRuns(client, 's', 'tracked')],
    ['run show', (client) => getRun(client, 's', 'r')],
    ['run logs', readLog],
  ];

  it.each(asking)('by the command line: %s', async (_what, ask) => {
    const asked: string[] = [];
    const client = {
      request: (document: string, variables: object) => {
        asked.push(...messages(document, variables), 'asked');
        return Promise.resolve({
          ...{ workerPools: [], workerPool: { workers: [] } },
          searchStacks: { edges: [], pageInfo: { endCursor: null, hasNextPage: false } },
          stack: { config: [], webhooks: [], page: [], run: { ...run, logs } },
        });
      },
    } as unknown as ApiClient;
    await ask(client);
    expect(new Set(asked)).toEqual(new Set(['asked']));
  });

  const run = { history: [{ state: 'PLANNING', stateVersion: 1 }], finished: true };
  const logs = { exists: true, finished: true, hasMore: false, nextToken: null, messages: [] };

  async function readLog(client: ApiClient): Promise<void> {
    const kinds: string[] = [];
    for await (const { kind } of runEvents(client, 's', 'r', { follow: false })) kinds.push(kind);
    expect(kinds).toEqual(['state']);
  }

  it.each([
    [
      'an exporter',
      '{ workerPools { id name pendingRuns busyWorkers workers { id busy drained } } publicWorkerPool { parallelism busyWorkers pendingRuns } }',
    ],
    [
      'an autoscaler',
      '{ workerPool(id: "p") { id pendingRuns busyWorkers workers { id busy createdAt drained metadata } } }',
    ],
    [
      'a list of runs',
      '{ stack(id: "s") { runs { id type state title createdAt finished history { state timestamp note username } } } }',
    ],
    [
      'a log',
      '{ stack(id: "s") { run(id: "r") { logs(state: APPLYING, token: "t", stateVersion: 1) { exists finished hasMore nextToken messages { message timestamp } } } } }',
    ],
    [
      'the logs of all states of a run',
      `{ stack(id: "s") { run(id: "r") { ${['PREPARING', 'INITIALIZING', 'PLANNING', 'CONFIRMED', 'APPLYING'].map((state) => `${state}: logs(state: ${state}) { messages { message timestamp } }`).join(' ')} } } }`,
    ],
    [
      'stacks with what they depend on',
      '{ searchStacks(input: {}) { edges { node { id name labels dependsOn { id stack { id } dependsOnStack { id } } isDependedOnBy { id } config { id value } runs { id state } } } } }',
    ],
    [
      'a queue',
      '{ workerPool(id: "p") { searchSchedulableRuns(input: { first: 500 }) { edges { node { stackId position run { id type state title createdAt history { state timestamp } } } } } } }',
    ],
  ])('%s', (_what, query) => {
    expect(messages(query)).toEqual([]);
  });
});
