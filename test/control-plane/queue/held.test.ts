// What the page of a pool shows beside its queue: runs that are held back, and counts of what one sees.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createSpace } from '../../../control-plane/access/spaces.js';
import { poolCounts } from '../../../control-plane/pools/workers.js';
import { searchHeldRuns, searchSchedulableRuns } from '../../../control-plane/queue/schedulable.js';
import { whyTheyWait } from '../../../control-plane/queue/waiting.js';
import { publicPoolId } from '../../../control-plane/store/pool-tables.js';
import { makePool, makeRun, makeStack, openRules, type Rules } from '../support/rules.js';

let rules: Rules;
beforeAll(async () => {
  rules = await openRules();
});
beforeEach(() => rules.reset());
afterAll(() => rules.close());

it('runs that are held are listed apart from the queue, page by page, each with its reason', async () => {
  const pool = await makePool(rules);
  const stack = await makeStack(rules, pool);
  const first = await makeRun(rules, stack);
  const behind = [await makeRun(rules, stack), await makeRun(rules, stack)];
  const queue = await searchSchedulableRuns(rules.context, pool, {});
  expect(queue.edges.map(({ node }) => node.run.id)).toEqual([first.id]);
  const page = await searchHeldRuns(rules.context, pool, { first: 1 }, null);
  const next = await searchHeldRuns(rules.context, pool, { first: 1, after: page.pageInfo.endCursor }, null);
  const held = [...page.edges, ...next.edges].map(({ node }) => node);
  expect(held.map(({ id }) => id)).toEqual(behind.map(({ id }) => id));
  expect([page.pageInfo.hasNextPage, next.pageInfo.hasNextPage]).toEqual([true, false]);
  const reasons = await whyTheyWait(rules.context, [first, ...held], null);
  expect(reasons.get(first.id)).toContain('has no workers yet');
  for (const { id } of held) expect(reasons.get(id)).toContain(`waits for run ${first.id} of the same stack`);
  expect((await searchHeldRuns(rules.context, pool, {}, ['apart'])).edges).toEqual([]);
});

it('the public pool counts the runs of those spaces that one sees', async () => {
  const spaces: string[] = [];
  for (const name of ['Held left', 'Held right'])
    spaces.push((await createSpace(rules.context, { name, description: '', parent: 'root' })).id);
  for (const space of spaces) {
    const stack = await makeStack(rules, publicPoolId, { poolId: null, space });
    await makeRun(rules, stack, { type: 'PROPOSED' });
  }
  const pending = async (seen: string[] | null) =>
    (await poolCounts(rules.context, publicPoolId, seen)).pendingRuns;
  expect(await pending(null)).toBe(2);
  expect(await pending(spaces.slice(0, 1))).toBe(1);
  expect(await pending([])).toBe(0);
});
