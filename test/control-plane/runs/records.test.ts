// What a worker reports of its run that does not fit the run's state: refused as its own fault, and nothing changes.
import { expect, it } from 'vitest';
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

it('is refused for a plan before the run has planned, and taken after it has', async () => {
  await makeWorker(rules, pool);
  await makeRun(rules, await makeStack(rules, pool));
  const match = await assigned(rules, pool);
  await begun(rules, match);
  const plan = {
    changes: { add: 1, change: 0, destroy: 0, any: true },
    workspace: '01HZ0000000000000000000W00',
  };
  expect((await find(rules, match.run.id)).state).toBe('INITIALIZING');
  await expect(report(rules, match, 2, plan)).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await find(rules, match.run.id)).toMatchObject({
    state: 'INITIALIZING',
    worker_id: match.worker.id,
    workspace_object: null,
  });
  await report(rules, match, 2, { k: 'state', s: 'PLANNING' }, plan);
  expect((await find(rules, match.run.id)).state).toBe('UNCONFIRMED');
});
