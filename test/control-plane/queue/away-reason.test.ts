// What is said of a run that works while its worker is out of contact.
import { expect, it } from 'vitest';
import { massLossPatience } from '../../../control-plane/queue/mass-loss.js';
import { minuteOf } from '../../../control-plane/queue/minute.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { waitReason } from '../../../control-plane/queue/waiting.js';
import { rhythm } from '../../../protocol/limits.js';
import {
  assigned,
  begun,
  eachWithRules,
  find,
  makeRun,
  makeStack,
  makeWorker,
  type Rules,
  type SimulatedWorker,
} from '../support/rules.js';

let rules: Rules;
let pool: string;
eachWithRules((given) => {
  ({ rules, pool } = given);
});

/** A run that works, its worker, and others of the pool. */
async function work(others: number) {
  const workers: SimulatedWorker[] = [];
  for (let count = 0; count <= others; count += 1) workers.push(await makeWorker(rules, pool));
  await makeRun(rules, await makeStack(rules, pool));
  const match = await assigned(rules, pool);
  await begun(rules, match);
  const worker = workers.find(({ id }) => id === match.worker.id);
  if (worker === undefined) throw new Error('The run is with none of the workers');
  return {
    worker,
    others: workers.filter((each) => each !== worker),
    run: match.run.id,
    said: async () => waitReason(rules.context, await find(rules, match.run.id)),
  };
}

it('is since when, and when it counts as lost; nothing when it is back', async () => {
  const { worker, run, said } = await work(0);
  expect(await said()).toBeNull();
  const since = rules.now;
  await worker.gone(false);
  rules.now += 5000;
  expect(await said()).toBe(
    `its worker ${worker.id} has been out of contact since ${minuteOf(since)}; ` +
      `it counts as lost at ${minuteOf(since + rhythm.lostAfter)} unless it comes back`,
  );
  await worker.register({ run, attempt: 1, begun: true });
  expect(await said()).toBeNull();
});

it('is until when the run is left as it is, when most of the pool went', async () => {
  const { worker, others, run, said } = await work(3);
  for (const each of [worker, ...others.slice(1)]) await each.gone(false);
  rules.now += 9000;
  await sweep(rules.context);
  expect(await said()).toBe(
    `its worker ${worker.id} is out of contact, as most of its pool; ` +
      `the run is left as it is until ${minuteOf(rules.now + massLossPatience)}`,
  );
  await worker.register({ run, attempt: 1, begun: true });
  await sweep(rules.context);
  expect(await said()).toBeNull();
});
