// The contract with clients that exist already: the schema has every operation, argument and field of it, and each of
// them answers on a control plane that runs.
import {
  buildClientSchema,
  buildSchema,
  getIntrospectionQuery,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isNonNullType,
  isObjectType,
  isScalarType,
  printSchema,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type IntrospectionQuery,
} from 'graphql';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKeyAndRequest } from '../../../protocol/requests.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { askerFor, type Asker } from './support/ask.js';

const read = (path: string) => buildSchema(readFileSync(new URL(path, import.meta.url), 'utf8'));
const contract = read('support/contract.graphql');
const schema = read('../../../control-plane/api/schema.graphql');

const types = Object.values(contract.getTypeMap()).filter(({ name }) => !name.startsWith('__'));
const objects = types.filter(isObjectType);

const named = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);

describe('the schema', () => {
  it.each(named(objects))('has %s with its fields and arguments, and demands no other argument', (name) => {
    const type = objects.find((object) => object.name === name)!;
    for (const wanted of Object.values(type.getFields())) {
      const field = fieldsOf(name)[wanted.name];
      const place = `${name}.${wanted.name}`;
      expect(field === undefined, `${place} is missing`).toBe(false);
      expect(fitsOutput(wanted.type, field!.type), `type of ${place}`).toBe(true);
      for (const argument of wanted.args) {
        const own = field!.args.find((candidate) => candidate.name === argument.name);
        expect(own !== undefined && fitsInput(argument.type, own.type), `${place}(${argument.name})`).toBe(
          true,
        );
      }
      const invented = field!.args.filter(
        (own) => isNonNullType(own.type) && wanted.args.every((argument) => argument.name !== own.name),
      );
      expect(named(invented), place).toEqual([]);
    }
  });

  it.each(named(types.filter(isInputObjectType)))('takes what %s holds, and demands no more', (name) => {
    const wanted = inputFields(contract, name);
    const own = inputFields(schema, name);
    for (const [field, { type }] of Object.entries(wanted)) {
      const found = own[field];
      expect(found !== undefined && fitsInput(type, found.type), field).toBe(true);
    }
    const invented = Object.values(own).filter(
      (field) => isNonNullType(field.type) && wanted[field.name] === undefined,
    );
    expect(named(invented)).toEqual([]);
  });

  it.each(named(types.filter(isEnumType)))('has every word of %s', (name) => {
    expect(wordsOf(schema, name)).toEqual(expect.arrayContaining(wordsOf(contract, name)));
  });
});

function inputFields(
  of: GraphQLSchema,
  name: string,
): Record<string, { name: string; type: GraphQLInputType }> {
  const type = of.getType(name);
  return isInputObjectType(type) ? type.getFields() : {};
}

function wordsOf(of: GraphQLSchema, name: string): string[] {
  const type = of.getType(name);
  return isEnumType(type) ? named(type.getValues()) : [];
}

function fieldsOf(type: string): Record<string, GraphQLField<unknown, unknown>> {
  const found = schema.getType(type);
  return isObjectType(found) ? found.getFields() : {};
}

/** Promising more than is asked for, such as never to be null, is fine. */
function fitsOutput(wanted: GraphQLOutputType, own: GraphQLOutputType): boolean {
  const strip = (text: string) => text.replaceAll('!', '');
  if (strip(String(wanted)) !== strip(String(own))) return false;
  return !isNonNullType(wanted) || isNonNullType(own);
}

/** Demanding less is fine. */
function fitsInput(wanted: GraphQLInputType, own: GraphQLInputType): boolean {
  return (
    String(wanted).replaceAll('!', '') === String(own).replaceAll('!', '') &&
    (isNonNullType(wanted) || !isNonNullType(own))
  );
}

describe('a control plane', () => {
  let folder: string;
  let plane: TestPlane;
  let ask: Asker;
  let stack: string;
  let run: string;
  const answered = new Set<string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-contract-'));
    plane = await startControlPlane(folder, { launchers: 1 });
    ask = await askerFor(plane, plane.key);
    ({ stack, run } = await plane.triggerRun({ name: 'First of all', planCommands: ['echo planned'] }));
    await plane.reached(stack, run, 'UNCONFIRMED');
  }, 180_000);
  afterAll(async () => {
    await plane.close();
    await rm(folder, { recursive: true });
  });

  /**
   * Every field of a type of the contract, and of the types below it until one comes a second time. Logs only where the
   * run is one: of lists of runs nobody reads them all at once.
   */
  function everything(type: GraphQLObjectType, above: readonly string[] = [], many = false): string {
    const fields = Object.values(type.getFields()).flatMap((field) => {
      const below = getNamedType(field.type);
      const values = {
        id: run,
        input: '{ first: 5 }',
        state: 'PLANNING',
        token: 'null',
        stateVersion: '1',
        before: 'null',
      };
      const args = field.args.map(({ name }) => {
        const value = values[name as keyof typeof values];
        return `${name}: ${name === 'id' ? JSON.stringify(value) : value}`;
      });
      const call = `${field.name}${args.length === 0 ? '' : `(${args.join(', ')})`}`;
      if (isScalarType(below) || isEnumType(below)) return [call];
      if (!isObjectType(below) || above.includes(below.name) || (many && field.name === 'logs')) return [];
      const several = many || String(field.type).startsWith('[');
      return [`${call} ${everything(below, [...above, type.name], several)}`];
    });
    return `{ ${fields.join(' ')} }`;
  }

  const selection = (name: string) => everything(contract.getType(name) as GraphQLObjectType);

  it.each<[string, string, () => object]>([
    ['viewer', 'Viewer', () => ({})],
    ['workerPools', 'WorkerPool', () => ({})],
    ['workerPool(id: $pool)', 'WorkerPool', () => ({ pool: plane.pool })],
    ['searchWorkerPools(input: $input)', 'WorkerPoolConnection', () => ({ input: { first: 1 } })],
    ['publicWorkerPool', 'PublicWorkerPool', () => ({})],
    ['stack(id: $stack)', 'Stack', () => ({ stack })],
    ['searchStacks(input: $input)', 'StackConnection', () => ({ input: { first: 1 } })],
  ])('answers %s with every field', async (call, type, variables) => {
    const declared = { pool: '$pool: ID!', stack: '$stack: ID!', input: '$input: SearchInput!' };
    const used = Object.entries(declared).filter(([name]) => call.includes(`$${name}`));
    const head = used.length === 0 ? 'query' : `query (${used.map(([, text]) => text).join(', ')})`;
    const data = await ask.data<Record<string, unknown>>(
      `${head} { answer: ${call} ${selection(type)} }`,
      variables(),
    );
    expect(data['answer']).not.toBeNull();
    answered.add(/^\w+/.exec(call)![0]);
  });

  it('answers the introspection that tools start with', async () => {
    const data = await ask.data<IntrospectionQuery>(getIntrospectionQuery());
    expect(data.__schema.types.length).toBeGreaterThan(30);
    // The server is what the file in the repository says, to the last description.
    expect(printSchema(buildClientSchema(data))).toBe(printSchema(schema));
  });

  it('makes, changes, cycles, resets and deletes a pool', async () => {
    const { request } = await generateKeyAndRequest();
    const made = await ask.data<{ workerPoolCreate: { id: string; config: string } }>(
      `mutation ($csr: String!) { workerPoolCreate(name: "contract", certificateSigningRequest: $csr, description: "d",
        labels: ["a"], space: "root", driftDetectionRunLimit: 3) ${selection('WorkerPool')} }`,
      { csr: request },
    );
    expect(made.workerPoolCreate).toMatchObject({
      driftDetectionRunLimit: 3,
      labels: ['a'],
      spaceDetails: { id: 'root' },
    });
    const { id } = made.workerPoolCreate;
    const updated = await ask.data<{ workerPoolUpdate: object }>(
      `mutation ($id: ID!) { workerPoolUpdate(id: $id, name: "renamed", driftDetectionRunLimit: 0) ${selection('WorkerPool')} }`,
      { id },
    );
    expect(updated.workerPoolUpdate).toMatchObject({
      name: 'renamed',
      driftDetectionRunLimit: 0,
      labels: [],
    });
    expect(await ask.data('mutation ($id: ID!) { workerPoolCycle(id: $id) }', { id })).toEqual({
      workerPoolCycle: true,
    });
    const reset = await ask.data<{ workerPoolReset: { config: string } }>(
      `mutation ($id: ID!, $csr: String!) { workerPoolReset(id: $id, certificateSigningRequest: $csr) ${selection('WorkerPool')} }`,
      { id, csr: request },
    );
    expect(reset.workerPoolReset.config).not.toBe(made.workerPoolCreate.config);
    const deleted = await ask.data<{ workerPoolDelete: object }>(
      `mutation ($id: ID!) { workerPoolDelete(id: $id) ${selection('WorkerPool')} }`,
      { id },
    );
    expect(deleted.workerPoolDelete).toMatchObject({ id, deleted: true });
    for (const name of ['Create', 'Update', 'Cycle', 'Reset', 'Delete']) answered.add(`workerPool${name}`);
  });

  it('locks, unlocks, disables, enables and configures a stack', async () => {
    const mutate = async (call: string, type: string) => {
      answered.add(/^\w+/.exec(call)![0]);
      const data = await ask.data<{ answer: unknown }>(
        `mutation ($stack: ID!) { answer: ${call} ${selection(type)} }`,
        { stack },
      );
      return data.answer;
    };
    for (const call of [
      'stackLock(id: $stack, note: "n")',
      'stackUnlock(id: $stack)',
      'stackDisable(id: $stack)',
      'stackEnable(id: $stack)',
    ])
      expect(await mutate(call, 'Stack')).toMatchObject({ id: stack });
    const config = '{ id: "NAME", type: ENVIRONMENT_VARIABLE, value: "v", writeOnly: false }';
    expect(await mutate(`stackConfigAdd(stack: $stack, config: ${config})`, 'ConfigElement')).toMatchObject({
      value: 'v',
    });
    expect(await mutate('stackConfigDelete(stack: $stack, id: "NAME")', 'ConfigElement')).toMatchObject({
      id: 'NAME',
    });
  });

  it('decides, triggers, retries, promotes and prioritises runs, and drains the worker', async () => {
    const act = async (call: string, of = run) => {
      answered.add(/^\w+/.exec(call)![0]);
      const declared = call.includes('$run') ? '$stack: ID!, $run: ID!' : '$stack: ID!';
      const { answer } = await ask.data<{ answer: { id: string; state: string; type: string } }>(
        `mutation (${declared}) { answer: ${call} ${selection('Run')} }`,
        { stack, run: of },
      );
      return answer;
    };
    expect(await act('runDiscard(stack: $stack, run: $run)')).toMatchObject({ state: 'DISCARDED' });
    const [worker] = await plane.workers();
    const drained = await ask.data<{ workerDrainSet: object }>(
      `mutation ($pool: ID!, $id: ID!) { workerDrainSet(workerPool: $pool, id: $id, drain: true) ${selection('Worker')} }`,
      { pool: plane.pool, id: worker!.id },
    );
    expect(drained.workerDrainSet).toMatchObject({ busy: false, drained: true });
    answered.add('workerDrainSet');
    const retried = await act('runRetry(stack: $stack, run: $run)');
    expect(retried).toMatchObject({ state: 'QUEUED', type: 'TRACKED' });
    expect(
      await act('runPrioritizeSet(stack: $stack, run: $run, prioritize: true)', retried.id),
    ).toMatchObject({ id: retried.id });
    expect(await act('runCancel(stack: $stack, run: $run)', retried.id)).toMatchObject({ state: 'CANCELED' });
    const triggered = await act(
      'runTrigger(stack: $stack, commitSha: null, runType: TRACKED, runtimeConfig: { environment: [{ key: "K", value: "v" }] }, forceApply: SINGLE)',
    );
    expect(await act('runStop(stack: $stack, run: $run, note: "n")', triggered.id)).toMatchObject({
      state: 'CANCELED',
    });
    expect(await act('taskCreate(stack: $stack, command: "true", skipInitialization: true)')).toMatchObject({
      type: 'TASK',
    });
    const proposed = await act('runTrigger(stack: $stack, runType: PROPOSED)');
    await ask.data(
      'mutation ($pool: ID!, $id: ID!) { workerDrainSet(workerPool: $pool, id: $id, drain: false) { id } }',
      { pool: plane.pool, id: worker!.id },
    );
    await plane.reached(stack, proposed.id, 'FINISHED');
    const promoted = await act('runPromote(stack: $stack, run: $run)', proposed.id);
    expect(promoted).toMatchObject({ type: 'TRACKED', state: 'QUEUED' });
    await plane.reached(stack, promoted.id, 'UNCONFIRMED');
    expect(await act('runConfirm(stack: $stack, run: $run)', promoted.id)).toMatchObject({
      state: 'CONFIRMED',
    });
  });

  it('takes workspaces', async () => {
    const { uploadLocalWorkspace: place } = await ask.data<{
      uploadLocalWorkspace: {
        id: string;
        uploadUrl: string;
        uploadHeaders: { entries: { key: string; value: string }[] };
      };
    }>(`mutation ($stack: ID!) { uploadLocalWorkspace(stack: $stack) ${selection('LocalWorkspace')} }`, {
      stack,
    });
    const headers = Object.fromEntries(place.uploadHeaders.entries.map(({ key, value }) => [key, value]));
    expect(
      (await fetch(place.uploadUrl, { method: 'PUT', headers, body: 'not looked at here' })).status,
    ).toBe(200);
    const { runProposeLocalWorkspace } = await ask.data<{ runProposeLocalWorkspace: object }>(
      `mutation ($stack: ID!, $workspace: ID!, $env: [EnvVarOverride!]) {
        runProposeLocalWorkspace(stack: $stack, workspace: $workspace, environmentVarsOverrides: $env) ${selection('Run')} }`,
      { stack, workspace: place.id, env: [{ key: 'K', value: 'v' }] },
    );
    expect(runProposeLocalWorkspace).toMatchObject({ type: 'PROPOSED' });
    answered.add('uploadLocalWorkspace').add('runProposeLocalWorkspace');
  });

  it('was asked for everything there is', () => {
    answered.add('apiKeyUser');
    const all = [contract.getQueryType()!, contract.getMutationType()!].flatMap((type) =>
      Object.keys(type.getFields()),
    );
    expect([...answered].sort()).toEqual(all.sort());
  });
});
