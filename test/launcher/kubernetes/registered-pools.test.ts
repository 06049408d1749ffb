// Pools that the controller has registered: what is said on them when the control plane or the API server does not do what
// it is asked.
import { beforeAll, describe, expect, it } from 'vitest';
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
