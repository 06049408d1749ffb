// A worker between two runs: the next one may come while what it has given back is still being removed.
import { beforeAll, describe, expect, test } from 'vitest';
import { ulid } from 'ulid';
import { startAgent } from '../../../launcher/kubernetes/agent.js';
import { credentialsOf } from '../../../launcher/kubernetes/credentials.js';
import type { Member } from '../../../launcher/connection/seat.js';
import { workerPoolSpec } from '../../../protocol/kubernetes/resources.js';
import { encodeToken } from '../../../protocol/token.js';
import { assignment } from '../../protocol/support/messages.js';
import { makePool, type TestPool } from '../support/pool.js';
import { until } from '../support/until.js';
import { openWorld, worker, type World } from './support/world.js';

let pool: TestPool;
beforeAll(async () => {
  pool = await makePool();
});

async function start(how: Partial<World>) {
  const world = await openWorld(how);
  let member: Member | undefined;
  const said: object[] = [];
  const agent = startAgent(
    {
      ...world.deps,
      leads: () => true,
      lines: {
        report: () => undefined,
        join(_credentials, joined) {
          member = joined;
          return {
            start: () => undefined,
            report: () => {
              said.push(joined.status());
              return Promise.resolve();
            },
            now: () => world.clock.now(),
            end: () => Promise.resolve(),
          };
        },
      },
      statuses: { changed: () => undefined },
      version: '1',
    },
    {
      worker,
      workerId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
      credentials: credentialsOf(encodeToken(pool.token(9)), pool.privateKey, Date.now()),
      spec: () => workerPoolSpec.parse({}),
      poolName: 'builds',
      onChange: () => undefined,
    },
  );
  const given = { ...assignment, bulk: { endpoint: world.endpoint, token: 't' } };
  const count = (step: string) => world.steps.filter((other) => other === step).length;
  return {
    ...world,
    agent,
    given,
    count,
    held: () => member?.status().held,
    order: (order: Parameters<Member['onOrder']>[0]) => member?.onOrder(order),
  };
}

/** A first run, evicted and given back, whose Secret is not removed yet, and a second one that comes then. */
async function betweenTwoRuns() {
  const all = await start({ podEnds: 'Evicted', holding: ['remove secrets'] });
  const next = { ...all.given, run: ulid(), attempt: 2 };
  all.order(all.given);
  await all.passing(() => all.steps.includes('remove secrets'), 'the run to be given back');
  all.order(next);
  return { ...all, next };
}

test('a run that comes while the one before is still being removed is said to be here, and begins after it', async () => {
  const { held, next, count, release, state } = await betweenTwoRuns();
  expect(held()).toEqual({ run: next.run, attempt: 2, begun: false });
  expect(count('accept')).toBe(1);
  release();
  // Its pod is evicted at once, too: it must not get that far before it is looked at.
  state.holding = ['accept'];
  await until(() => count('accept') === 2, 'the next run to be accepted');
  expect(held()).toEqual({ run: next.run, attempt: 2, begun: false });
  release();
});

test('a third run is not taken, and one that no longer counts is not begun', async () => {
  const { held, next, given, count, release, order, agent } = await betweenTwoRuns();
  order({ ...given, run: ulid(), attempt: 1 });
  expect(held()).toMatchObject({ run: next.run });
  order({ ...given, type: 'stop', run: next.run, attempt: 2, kind: 'stale', reason: 'a test' });
  expect(held()).toMatchObject({ run: given.run });
  release();
  await until(() => !agent.busy, 'the worker to be free');
  expect(count('accept')).toBe(1);
  expect(held()).toBeNull();
});

test('a worker that was told to leave meanwhile goes without the next run', async () => {
  const { count, release, agent } = await betweenTwoRuns();
  const left = agent.leave('a test');
  release();
  await left;
  expect(count('accept')).toBe(1);
});

describe('a run that is ended', () => {
  /** What its world is like then, and the step that has been reached. */
  const states: Readonly<Record<string, readonly [Partial<World>, string]>> = {
    'while its Secret is made': [{ holding: ['create secrets'] }, 'create secrets'],
    'while it is accepted': [{ holding: ['accept'] }, 'accept'],
    'while its pod is made': [{ holding: ['create pods'] }, 'create pods'],
    'while it waits for room in a quota': [{ pods: 'full' }, 'spool'],
    'while its pod runs': [{}, 'create pods'],
  };
  const acts = {
    'by a person': { kind: 'stop', results: ['stopped'] },
    'because it no longer counts': { kind: 'stale', results: [] },
  } as const;
  const table = Object.entries(states).flatMap(([when, [how, reached]]) =>
    Object.entries(acts).flatMap(([why, act]) =>
      [false, true].map((leaves) => ({
        title: `${why} ${when}${leaves ? ', the worker deleted, too' : ''}`,
        ...{ how, reached, act, leaves },
      })),
    ),
  );

  test.each(table)(
    '$title: leaves nothing, and is told as often as it should',
    async ({ how, reached, act, leaves }) => {
      const all = await start({ podEnds: null, ...how });
      const { given, order, agent, passing, steps, release, results, there } = all;
      order(given);
      await until(() => steps.includes(reached), 'the run to get there');
      const left = leaves ? agent.leave('a test') : Promise.resolve();
      order({ ...given, type: 'stop', kind: act.kind, reason: 'a test' });
      release();
      await passing(() => !agent.busy, 'the worker to be free');
      await left;
      expect(results).toEqual(act.results);
      expect([...there]).toEqual([]);
      expect(steps).not.toContain('reject');
    },
  );
});
