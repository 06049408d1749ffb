// Pools that the controller has registered and somebody else resets or deletes at the control plane: taken back where nobody
// uses them, left where somebody does, and never in a loop.
import { beforeAll, expect, it } from 'vitest';
import type { KeyAndRequest } from '../../../launcher/kubernetes/registration.js';
import { issuePoolCertificate } from '../../../protocol/certificates.js';
import { encodeToken } from '../../../protocol/token.js';
import { keyAndRequest, rsaSha256 } from '../../protocol/support/fixtures.js';
import { makePool, type TestPool } from '../support/pool.js';
import { openRegisteredPool } from './support/registered-pool.js';

let made: TestPool;
/** What the pool has after somebody else has reset it. */
let foreign: string;
/** That the controller makes, one after the other. */
const keys: KeyAndRequest[] = [];
beforeAll(async () => {
  made = await makePool();
  const other = await makePool();
  foreign = encodeToken({ ...made.token(9), certificate: other.certificate });
  for (let count = 0; count < 2; count += 1) {
    const { csr, privateKey } = await keyAndRequest(rsaSha256);
    keys.push({ privateKey: btoa(privateKey), request: csr });
  }
});

const minute = 60_000;
const newId = '01HZ0000000000000000000Q00';

/** A world with a worker that has been without contact for long enough. `state`: the pool at the control plane. */
async function open() {
  let turn = 0;
  const makeKey = () => Promise.resolve(keys[(turn += 1) % 2]!);
  const world = await openRegisteredPool(made, { spec: { poolSize: 1 }, makeKey });
  const state: { id: string; config: string | undefined; workersCount: number } = {
    id: world.id,
    config: world.token,
    workersCount: 0,
  };
  const issue = async (id: string, csr: string) => {
    const { certificate } = await issuePoolCertificate({
      ...{ authority: made.authority, csr, pool: id, now: Date.now() },
    });
    state.id = id;
    state.config = encodeToken({ ...made.token(9), pool: id, certificate });
    return { id, config: state.config };
  };
  const there = { name: 'builds', labels: ['kubernetes-uid:u'] };
  world.answers['workerPool'] = ({ id }) =>
    id !== state.id || state.config === undefined ? null : { ...there, ...state };
  world.answers['workerPools'] = () => (state.config === undefined ? [] : [{ ...there, id: state.id }]);
  world.answers['workerPoolCreate'] = (given) => issue(newId, String(given['certificateSigningRequest']));
  world.answers['workerPoolReset'] = (given) =>
    issue(String(given['id']), String(given['certificateSigningRequest']));
  const changes = () => world.asked.filter((field) => /Create|Reset|Delete/.test(field));
  const tokenNow = () => world.secrets.get('builds-registration')?.['token'];
  const lastLoss = () => world.events.findLast((event) => event.includes('WorkerPoolLost')) ?? '';
  await world.reconcile();
  world.asked.length = 0;
  await world.later(25_000);
  return { ...world, state, changes, tokenNow, lastLoss };
}

it('asks only when no worker is in contact for a while, and then not with every look at the pool', async () => {
  const world = await open();
  expect(world.asked).toEqual(['workerPool']);
  await world.reconcile();
  expect(world.asked).toHaveLength(1);
  await world.later();
  expect(world.asked).toHaveLength(2);
  world.state.config = undefined;
  world.change({ poolSize: 0 });
  await world.later();
  expect(world.asked).toHaveLength(2);
  expect(world.lastLoss()).toBe('');
});

it('registers a pool that was deleted anew, with another key, and the next time only after a while', async () => {
  const world = await open();
  const before = world.secrets.get('builds-registration');
  world.state.config = undefined;
  await world.later();
  expect(world.lastLoss()).toMatch(
    /^Warning WorkerPoolLost: .* was deleted .*The controller registers it anew/,
  );
  expect(world.message()).toMatch(/was deleted at the control plane/);
  await world.reconcile();
  expect(world.changes()).toEqual(['workerPoolCreate']);
  expect(world.secrets.get('builds-registration')).toMatchObject({ id: newId, token: world.state.config });
  expect(world.secrets.get('builds-registration')?.['privateKey']).not.toBe(before?.['privateKey']);
  expect(world.events).toContain(`Normal WorkerPoolRegistered: This is the worker pool ${newId}.`);
  expect(world.message()).toBe('');

  // Again: also a controller that has just begun waits, and says until when.
  world.state.config = undefined;
  world.restart();
  await world.reconcile();
  for (let passed = 0; passed < 9; passed += 1) await world.later(minute);
  expect(world.changes()).toHaveLength(1);
  expect(world.lastLoss()).toMatch(/registered anew 1 time\(s\) lately, so the next time is not before 20/);
  expect(world.message()).toBe(world.lastLoss().replace('Warning WorkerPoolLost: ', ''));
  for (let passed = 0; passed < 3; passed += 1) await world.later(minute);
  expect(world.changes()).toEqual(['workerPoolCreate', 'workerPoolCreate']);
});

it('takes a pool that was reset back when nobody uses it, and says so before', async () => {
  const world = await open();
  world.state.config = foreign;
  // Its own workers, who only do not count as lost yet.
  world.state.workersCount = 1;
  await world.later();
  expect(world.lastLoss()).toMatch(/was reset .*Unless other workers use it by then, .* after 6 minutes/);
  expect(world.lastLoss()).toMatch(/delete the Secret builds-registration; to leave it as it is, /);
  world.state.workersCount = 0;
  for (let passed = 0; passed < 5; passed += 1) await world.later(minute);
  expect(world.changes()).toEqual([]);
  await world.later(minute);
  await world.reconcile();
  expect(world.changes()).toEqual(['workerPoolReset']);
  expect(world.tokenNow()).toBe(world.state.config);
  expect(world.message()).not.toMatch(/was reset/);
});

it('leaves a pool that was reset to those who use it, until its registration Secret is deleted', async () => {
  const world = await open();
  world.state.config = foreign;
  world.state.workersCount = 3;
  for (let passed = 0; passed < 8; passed += 1) await world.later(minute);
  expect(world.lastLoss()).toMatch(/Other workers use it, so it is left to them/);
  // Scaled to none for a time, they still are the ones who use it; a controller that has just begun knows that, too.
  world.state.workersCount = 0;
  world.restart();
  await world.reconcile();
  for (let passed = 0; passed < 15; passed += 1) await world.later(minute);
  expect(world.lastLoss()).toMatch(/Other workers use it/);
  expect(world.changes()).toEqual([]);
  expect(world.workers).toHaveLength(1);
  world.secrets.delete('builds-registration');
  await world.later();
  expect(world.changes()).toEqual(['workerPoolReset']);
  expect(world.tokenNow()).toBe(world.state.config);
});

it('resets ever more seldom against somebody who resets each time', async () => {
  const world = await open();
  const resets: number[] = [];
  for (let passed = 0; passed < 6 * 60; passed += 5) {
    world.state.config = foreign;
    await world.later(5 * minute);
    if (world.changes().length > resets.length) resets.push(passed);
  }
  const waits = resets.slice(1).map((at, index) => at - (resets[index] ?? 0));
  expect(waits.length).toBeGreaterThan(2);
  for (const [index, wait] of waits.entries()) expect(wait).toBeGreaterThanOrEqual(10 * 2 ** index);
}, 60_000);

it('takes another token for the same certificate as it is', async () => {
  const world = await open();
  world.state.config = encodeToken(made.token(10));
  await world.later();
  expect(world.tokenNow()).toBe(world.state.config);
  expect(world.changes()).toEqual([]);
  await world.reconcile();
  expect(world.events).toContainEqual(expect.stringMatching(/CredentialsChanged/));
});

it('registers nothing while another controller may lead, and nothing where nobody can be asked', async () => {
  const world = await open();
  world.state.config = undefined;
  world.state.id = '';
  world.answers['workerPool'] = () => ({ config: null, workersCount: 0 });
  await world.later();
  world.serving.on = false;
  await world.later();
  expect(world.lastLoss()).toBe('');
  world.serving.on = true;
  world.secrets.set('builds-registration', {
    privateKey: btoa(made.privateKey),
    request: 'request',
  });
  world.restart({ leads: () => false });
  await expect(world.reconcile()).rejects.toThrow('another controller may lead');
  expect(world.changes()).toEqual([]);
});
