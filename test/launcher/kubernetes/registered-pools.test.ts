// Pools that the controller has registered: what is said on them when the control plane or the API server does not do what
// it is asked.
import { beforeAll, describe, expect, it } from 'vitest';
import { KubeError } from '../../../launcher/kubernetes/api.js';
import { encodeToken } from '../../../protocol/token.js';
import { makePool, type TestPool } from '../support/pool.js';
import { openRegisteredPool } from './support/registered-pool.js';

let made: TestPool;
beforeAll(async () => {
  made = await makePool();
});

describe('a change of space, description or drift limits', () => {
  const there = {
    name: 'builds',
    labels: ['kubernetes-uid:u'],
    description: '',
    space: 'root',
    workersCount: 0,
  };

  it('is brought to the control plane at the next look, by whichever controller, and once', async () => {
    const world = await openRegisteredPool(made, { spec: { description: 'one' } });
    const given: unknown[] = [];
    world.answers['workerPool'] = () => there;
    world.answers['workerPoolUpdate'] = (variables) => given.push(variables);
    await world.reconcile();
    expect(world.asked).toEqual(['workerPool', 'workerPoolUpdate']);
    world.change({ description: 'two', driftDetectionRunLimits: { disabled: true } });
    // Before it is time to read Secrets again.
    await world.reconcile();
    expect(given.at(-1)).toEqual({
      id: world.id,
      ...{ name: 'builds', labels: ['kubernetes-uid:u'] },
      ...{ description: 'two', space: 'root', driftDetectionRunLimit: 0 },
    });
    world.restart();
    await world.reconcile();
    await world.later();
    expect(world.asked).toHaveLength(4);
    expect(world.events).toEqual([]);
    expect(world.message()).toBe('');
  });

  it('that is refused is told by event and status, tried again, and keeps no worker from its work', async () => {
    const world = await openRegisteredPool(made, { spec: { poolSize: 1, space: 'nowhere' } });
    world.answers['workerPool'] = () => there;
    world.answers['workerPoolUpdate'] = () => {
      throw new Error('There is no space nowhere.');
    };
    await world.reconcile();
    expect(world.workers).toHaveLength(1);
    const words = /control plane has not taken space, .*graphql answers: There is no space nowhere/;
    expect(world.events).toContainEqual(expect.stringMatching(/^Warning WorkerPoolNotUpdated: /));
    expect(world.events.find((event) => event.includes('NotUpdated'))).toMatch(words);
    expect(world.message()).toMatch(words);
    // Not with every look at the pool.
    await world.reconcile();
    expect(world.asked).toHaveLength(2);
    expect(world.message()).toMatch(words);
    world.answers['workerPoolUpdate'] = () => ({});
    await world.later();
    expect(world.asked.filter((field) => field === 'workerPoolUpdate')).toHaveLength(2);
    expect(world.message()).toBe('');
  });
});

describe('the end of a pool that was registered', () => {
  const open = () => openRegisteredPool(made, { deleted: true });
  const minute = 60_000;

  it.each([
    ['the API key is gone', /nor is there a Secret key/],
    ['stacks use it', /graphql answers: Stacks use the pool/],
    ['the API key is refused', /refuses the API credentials/],
    ['the Secret with the API key may not be read', /secrets "key" is forbidden/],
  ])('waits for five minutes, says why, and comes all the same: %s', async (what, words) => {
    const world = await open();
    world.answers['workerPool'] = () => ({ config: world.token });
    world.answers['workerPoolDelete'] = () => {
      throw new Error('Stacks use the pool');
    };
    if (what.endsWith('gone')) world.secrets.delete('key');
    if (what.endsWith('read'))
      world.refusals['key'] = new KubeError(403, 'Forbidden', 'secrets "key" is forbidden');
    if (what.endsWith('refused'))
      world.answers['apiKeyUser'] = () => {
        throw new Error('unauthorized');
      };
    await expect(world.reconcile()).rejects.toThrow(words);
    await expect(world.later(4 * minute)).rejects.toThrow(words);
    expect(world.finalizers()).toHaveLength(1);
    expect(world.secrets.has('builds-registration')).toBe(true);
    expect(world.events.at(-1)).toMatch(/^Warning WorkerPoolNotRemoved: .* again for 5 minutes/);
    expect(world.events.at(-1)).toMatch(words);
    await world.later(minute);
    expect(world.finalizers()).toEqual([]);
    expect(world.secrets.has('builds-registration')).toBe(false);
    expect(world.events.at(-1)).toMatch(/The pool stays at the control plane: .*; remove the pool there/);
    expect(world.events.at(-1)).toMatch(words);
  });

  it('waits for an hour for a control plane that does not answer', async () => {
    const world = await open();
    world.serving.on = false;
    await expect(world.reconcile()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(world.later(59 * minute)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(world.events.at(-1)).toMatch(/again for 60 minutes/);
    await world.later(minute);
    expect(world.finalizers()).toEqual([]);
  });

  it('waits for as long as the API server does not answer', async () => {
    const world = await open();
    world.refusals['builds-registration'] = new Error('connect ECONNREFUSED');
    for (let tries = 0; tries < 3; tries += 1)
      await expect(world.later(60 * minute)).rejects.toThrow('ECONNREFUSED');
    expect(world.finalizers()).toHaveLength(1);
    expect(world.events).toEqual([]);
  });

  it('comes at once when the pool is gone at the control plane, or is of somebody who has reset it', async () => {
    const gone = await open();
    gone.answers['workerPool'] = () => null;
    await gone.reconcile();
    expect(gone.asked).toEqual(['workerPool']);
    expect(gone.finalizers()).toEqual([]);
    expect(gone.events).toEqual([]);

    const other = await makePool();
    const left = await open();
    left.answers['workerPool'] = () => ({ config: encodeToken(other.token(9)) });
    await left.reconcile();
    expect(left.asked).toEqual(['workerPool']);
    expect(left.finalizers()).toEqual([]);
    expect(left.events).toEqual([
      expect.stringMatching(/WorkerPoolNotRemoved: .*somebody else has reset it/),
    ]);
  });
});

describe('a pool that cannot be registered says why by event and status', () => {
  const open = async (spec: object = {}) => {
    const world = await openRegisteredPool(made, { spec });
    world.secrets.delete('builds-registration');
    return world;
  };
  type World = Awaited<ReturnType<typeof open>>;
  const json = { spaceliftAPICredentials: { secretKeyRef: { name: 'json', key: 'all' } } };

  it.each<[string, object, (world: World) => void, RegExp]>([
    [
      'broken JSON in the key of its API credentials',
      json,
      ({ secrets }) => secrets.set('json', { all: '{"keyId": "k", "keySecret": s3cret}' }),
      /the key all of the Secret json is no JSON: expected an object with keyId, keySecret and endpoint/,
    ],
    [
      'a Secret that the controller may not read',
      {},
      ({ refusals }) => (refusals['key'] = new KubeError(403, 'Forbidden', 'secrets "key" is forbidden')),
      /secrets "key" is forbidden/,
    ],
    [
      'an answer of another shape',
      {},
      ({ answers }) => (answers['apiKeyUser'] = () => ({ token: 's3cret' })),
      /graphql answers in another shape than expected, .*: data\.apiKeyUser\.jwt: /,
    ],
  ])('%s', async (_, spec, disturb, words) => {
    const world = await open(spec);
    // So that no key is made here, which takes its time.
    if (spec !== json) world.secrets.set('builds-registration', { privateKey: 'key', request: 'request' });
    disturb(world);
    await world.reconcile();
    expect(world.events).toEqual([expect.stringMatching(/^Warning WorkerPoolCannotRegister: /)]);
    expect(world.events[0]).toMatch(words);
    expect(world.message()).toMatch(words);
    expect(JSON.stringify([world.events, world.message(), world.log.lines])).not.toContain('s3cret');
  });

  it('while one that is registered keeps its workers, and says it, too', async () => {
    const world = await openRegisteredPool(made, { spec: { poolSize: 1 } });
    world.answers['workerPool'] = () => ({ name: 'builds', config: world.token, workersCount: 0 });
    await world.reconcile();
    world.refusals['builds-registration'] = new KubeError(403, 'Forbidden', 'secrets are forbidden');
    await world.later();
    expect(world.workers).toHaveLength(1);
    expect(world.message()).toMatch(/secrets are forbidden/);
    // Not with every look at the pool.
    const told = world.events.length;
    await world.reconcile();
    expect(world.events).toHaveLength(told);
    delete world.refusals['builds-registration'];
    await world.later();
    expect(world.message()).not.toMatch(/forbidden/);
  });

  it('but an API server that does not answer is only tried again', async () => {
    const world = await open();
    world.refusals['builds-registration'] = new KubeError(503, '', 'away');
    await expect(world.reconcile()).rejects.toThrow('away');
    expect(world.events).toEqual([]);
  });
});
