// What happens to a stack while somebody else changes it, and while it is disabled.
import { describe, expect, it } from 'vitest';
import { assignNext } from '../../../control-plane/queue/assign.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { confirmRun } from '../../../control-plane/runs/decisions.js';
import { setDisabled } from '../../../control-plane/stacks/locks.js';
import { getStack, updateStack } from '../../../control-plane/stacks/stacks.js';
import {
  assigned,
  begun,
  eachWithRules,
  find,
  makeRun,
  makeStack,
  makeWorker,
  report,
  type Rules,
} from '../support/rules.js';

let rules: Rules;
let pool: string;
eachWithRules((given) => {
  ({ rules, pool } = given);
});

it('keeps each of two changes that are made at the same time', async () => {
  const stack = await makeStack(rules, pool);
  await Promise.all([
    updateStack(rules.context, stack, { description: 'told' }),
    updateStack(rules.context, stack, { branch: 'release' }),
  ]);
  expect(await getStack(rules.context, stack)).toMatchObject({ description: 'told', branch: 'release' });
});

describe('a stack that is disabled', () => {
  const changes = { add: 1, change: 0, destroy: 0, any: true };
  const workspace = '01HZ0000000000000000000WWW';

  async function planned() {
    const worker = await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    await makeRun(rules, stack);
    const match = await assigned(rules, pool);
    await begun(rules, match);
    await report(rules, match, 1, { k: 'state', s: 'PLANNING' }, { changes, workspace });
    await worker.heartbeat(null);
    return { worker, stack, run: match.run.id, disable: () => setDisabled(rules.context, stack, true) };
  }

  it('applies no plan that was confirmed before, until it is enabled', async () => {
    const { stack, run, disable } = await planned();
    await confirmRun(rules.context, { run, username: 'test' });
    await disable();
    expect(await assignNext(rules.context, pool)).toBeUndefined();
    await setDisabled(rules.context, stack, false);
    expect((await assigned(rules, pool)).run.id).toBe(run);
  });

  it('applies no plan that is confirmed meanwhile', async () => {
    const { run, disable } = await planned();
    await disable();
    await confirmRun(rules.context, { run, username: 'test' });
    expect(await assignNext(rules.context, pool)).toBeUndefined();
  });

  it('does not give a plan to another worker when the first is lost before it began to apply it', async () => {
    const { worker, run, disable } = await planned();
    await confirmRun(rules.context, { run, username: 'test' });
    expect((await assigned(rules, pool)).run.id).toBe(run);
    await disable();
    await worker.gone(false);
    rules.now += 9000;
    await sweep(rules.context);
    await makeWorker(rules, pool);
    expect(await find(rules, run)).toMatchObject({ state: 'CONFIRMED', worker_id: null });
    expect(await assignNext(rules.context, pool)).toBeUndefined();
  });
});

it('holds back a proposed run that comes back to the queue of a stack that was disabled meanwhile', async () => {
  const stack = await makeStack(rules, pool);
  const worker = await makeWorker(rules, pool);
  const run = await makeRun(rules, stack, { type: 'PROPOSED' });
  await assigned(rules, pool);
  await setDisabled(rules.context, stack, true);
  await worker.gone(true);
  await makeWorker(rules, pool);
  expect(await find(rules, run.id)).toMatchObject({ state: 'QUEUED', hold: 'DISABLED' });
  expect(await assignNext(rules.context, pool)).toBeUndefined();
  await setDisabled(rules.context, stack, false);
  expect((await assignNext(rules.context, pool))?.run.id).toBe(run.id);
});
