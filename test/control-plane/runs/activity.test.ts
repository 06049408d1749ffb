// Activity over time from the histories of runs that really went through the rules.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { activity, spans } from '../../../control-plane/runs/activity.js';
import {
  assigned,
  begun,
  makePool,
  makeRun,
  makeStack,
  makeWorker,
  openRules,
  report,
  type Rules,
} from '../support/rules.js';

const minute = 60_000;
let rules: Rules;
beforeAll(async () => {
  rules = await openRules();
});
beforeEach(async () => {
  await rules.reset();
  rules.now = Date.UTC(2026, 0, 1, 12);
});
afterAll(() => rules.close());

it('tells waits, busy workers and causes in the bar where they were, and only of what one sees', async () => {
  const pool = await makePool(rules);
  const stack = await makeStack(rules, pool);
  await makeRun(rules, stack);
  rules.now += 3 * minute;
  await makeWorker(rules, pool);
  const match = await assigned(rules, pool);
  await begun(rules, match);
  rules.now += 10 * minute;
  await report(rules, match, 1, { outcome: 'failed', code: 'COMMAND_FAILED', message: 'no' });
  rules.now += 5 * minute;
  const { buckets } = await activity(rules.context, '24h', { pool, spaces: null });
  expect(buckets).toHaveLength(48);
  expect(buckets.at(-1)?.begins).toBe(Date.UTC(2026, 0, 1, 12));
  expect(buckets.at(-1)).toMatchObject({ assigned: 1, medianWait: 3 * minute, longWait: 3 * minute });
  expect(buckets.at(-1)?.busy).toBeCloseTo(10 / 30, 5);
  expect(buckets.at(-1)?.failures).toEqual(new Map([['COMMAND_FAILED', 1]]));
  expect(buckets.slice(0, -1).every(({ assigned, busy }) => assigned === 0 && busy === 0)).toBe(true);

  const quiet = { assigned: 0, medianWait: null, busy: 0, failures: new Map() };
  const elsewhere = await activity(rules.context, '24h', { spaces: ['apart'] });
  expect(elsewhere.buckets.at(-1)).toMatchObject(quiet);
  const other = await activity(rules.context, '24h', { pool: await makePool(rules), spaces: null });
  expect(other.buckets.at(-1)).toMatchObject(quiet);
});

it('counts a run that works over several bars in each, and one that has not ended until now', async () => {
  const pool = await makePool(rules);
  await makeWorker(rules, pool);
  await makeRun(rules, await makeStack(rules, pool));
  await begun(rules, await assigned(rules, pool));
  rules.now += 75 * minute;
  const { buckets, step } = await activity(rules.context, '24h', { spaces: null });
  expect(step).toBe(spans['24h'].step);
  expect(buckets.slice(-3).map(({ busy }) => busy)).toEqual([1, 1, 0.5]);
});
