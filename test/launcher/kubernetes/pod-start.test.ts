// From an assignment to its pod: what waits for what, and what becomes of the run while the API server does not answer.
import { beforeAll, expect, test } from 'vitest';
import { makePool, type TestPool } from '../support/pool.js';
import { until } from '../support/until.js';
import { openRun } from './support/pod-run.js';
import type { World } from './support/world.js';

let pool: TestPool;
beforeAll(async () => {
  pool = await makePool();
});

const start = (how: Partial<World>) => openRun(pool, how);

test('Secret and acceptance do not wait for each other, and the pod waits for both', async () => {
  for (const last of ['accept', 'create secrets']) {
    const { steps, release, run, passing } = await start({ holding: [last] });
    await until(() => steps.length === 2, 'both to be asked for');
    expect([...steps].sort()).toEqual(['accept', 'create secrets']);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(steps).not.toContain('create pods');
    release();
    await until(() => steps.includes('create pods'), 'the pod');
    let over = false;
    void run.done.then(() => (over = true));
    await passing(() => over, 'the end');
  }
});

test('a Secret that is still being made when the attempt turns out to be stale is removed all the same', async () => {
  const { steps, release, run, there } = await start({ accept: 'stale', holding: ['create secrets'] });
  await until(() => steps.includes('accept'), 'the refusal');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(steps).not.toContain('remove secrets');
  release();
  await run.done;
  expect(steps).not.toContain('create pods');
  expect([...there]).toEqual([]);
});

test('a Secret that the API server refuses ends the run with its words, before there is a pod', async () => {
  const { steps, run } = await start({ secrets: 'refuses' });
  await run.done;
  expect(steps).not.toContain('create pods');
  expect(steps.filter((step) => step === 'spool').length).toBeGreaterThan(0);
});

test('while the API server is away a run is given back, and what may be left of it is removed later', async () => {
  const { state, steps, run, passing, there } = await start({ secrets: 'away', pods: 'away' });
  await passing(() => steps.includes('reject'), 'the run to be given back');
  expect(run.givenBack).toBe(true);
  expect(steps.filter((step) => step === 'reject')).toHaveLength(1);
  state.secrets = state.pods = 'ok';
  let over = false;
  void run.done.then(() => (over = true));
  await passing(() => over, 'the end');
  expect([...there]).toEqual([]);
});

test('a short absence of the API server gives nothing back', async () => {
  const { state, steps, passing } = await start({ secrets: 'away', pods: 'away' });
  await passing(() => steps.filter((step) => step === 'create secrets').length > 1, 'two tries');
  state.secrets = state.pods = 'ok';
  await passing(() => steps.includes('create pods'), 'the pod');
  expect(steps).not.toContain('reject');
});

test('a run that has begun is not given back: its pod is there, although nobody has said so', async () => {
  const { state, steps, run, passing } = await start({ begun: true, pods: 'away' });
  await passing(() => steps.includes('reject'), 'the try to give it back');
  await passing(() => steps.filter((step) => step === 'create pods').length > 8, 'further tries');
  expect(run.givenBack).toBe(false);
  state.pods = 'ok';
  let over = false;
  void run.done.then(() => (over = true));
  await passing(() => over, 'the end');
});

test('a run whose pod cannot be made because the namespace is being deleted is for another worker', async () => {
  const { steps, run, results, there } = await start({ pods: 'terminating' });
  await run.done;
  expect(steps.filter((step) => step === 'reject')).toHaveLength(1);
  expect(results).toEqual([]);
  expect([...there]).toEqual([]);
});

test('a pod that ends as nothing of it counts any more is kept, and one that does not end is removed', async () => {
  const word = JSON.stringify({ delivered: true, outcome: 'finished' });
  const server = { name: 'launcher-grpc', state: { terminated: { exitCode: 0, message: word } } };
  for (const ends of [true, false]) {
    const { steps, run, passing, clock, podBecomes } = await start({ podEnds: null });
    await passing(() => run.begun, 'the pod to run');
    run.end({ kind: 'stale' });
    for (let second = 0; second < 3; second += 1) {
      clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(steps).not.toContain('remove pods');
    if (ends) podBecomes({ phase: 'Succeeded', containerStatuses: [server] });
    let over = false;
    void run.done.then(() => (over = true));
    await passing(() => over, 'the end');
    expect(steps.includes('remove pods')).toBe(!ends);
  }
});
