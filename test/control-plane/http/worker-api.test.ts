// A control plane that was killed between the storing of records and their counting, asked by a launcher that goes on.
import { Readable } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Tokens } from '../../../control-plane/access/tokens.js';
import { workerApiRoutes } from '../../../control-plane/http/worker-api.js';
import type { Match } from '../../../control-plane/queue/assign.js';
import type { ObjectStore } from '../../../control-plane/store/objects.js';
import { createFileLogStore, type LogStore } from '../../../control-plane/store/logs.js';
import { workerApi, type SpoolRecord } from '../../../protocol/worker-api.js';
import { temporaryFolder } from '../../support/temporary.js';
import {
  assigned,
  begun,
  eachWithRules,
  find,
  makeRun,
  makeStack,
  makeWorker,
  type Rules,
} from '../support/rules.js';

let rules: Rules;
let logs: LogStore;
let match: Match;
let pool: string;
eachWithRules((given) => {
  ({ rules, pool } = given);
});
beforeEach(async () => {
  logs = createFileLogStore(await temporaryFolder());
  await makeWorker(rules, pool);
  await makeRun(rules, await makeStack(rules, pool));
  match = await assigned(rules, pool);
  await begun(rules, match);
});

/** Sends records to the worker API, in the name of the run's worker. */
async function send(records: readonly SpoolRecord[]): Promise<unknown> {
  const { run, worker } = match;
  const grant = { run: run.id, attempt: run.attempt, worker: worker.id };
  const tokens: Pick<Tokens, 'checkRun'> = { checkRun: () => Promise.resolve(grant) };
  const objects: Partial<ObjectStore> = {};
  const app = workerApiRoutes({
    context: rules.context,
    tokens: tokens as Tokens,
    logs,
    objects: objects as ObjectStore,
  });
  const body = records.map((record) => JSON.stringify(record)).join('\n');
  const response = await app.request(
    workerApi.spool(run.id, run.attempt),
    { method: 'POST', headers: { authorization: 'Bearer token' } },
    { incoming: Readable.from([Buffer.from(body)]) },
  );
  expect(response.status).toBe(200);
  return response.json();
}

const records: readonly SpoolRecord[] = [
  { n: 1, t: 1, k: 'state', s: 'PREPARING' },
  { n: 2, t: 1, k: 'log', s: 'PREPARING', m: 'text\n' },
  { n: 3, t: 1, k: 'state', s: 'PLANNING' },
  { n: 4, t: 1, k: 'log', s: 'PLANNING', m: 'text\n' },
];
const result: SpoolRecord = {
  n: 5,
  t: 1,
  k: 'result',
  outcome: 'failed',
  code: 'COMMAND_FAILED',
  message: 'exit code 1',
  changes: null,
  workspace: null,
  commit: null,
};

describe('the question which records are stored', () => {
  it('makes count what was stored and did not count yet, before it is answered', async () => {
    await send(records.slice(0, 1));
    const { run } = match;
    const killedHere = [...records.slice(1), result].map((record) => ({
      record,
      text: JSON.stringify(record),
    }));
    await logs.append(run.id, run.attempt, killedHere);
    expect(await find(rules, run.id)).toMatchObject({ state: 'INITIALIZING', applied_number: 1 });
    expect(await send([])).toEqual({ acknowledged: 5 });
    expect(await find(rules, run.id)).toMatchObject({ state: 'FAILED', worker_id: null, applied_number: 5 });
    // Asked again because the answer got lost.
    expect(await send([])).toEqual({ acknowledged: 5 });
  });

  it('is answered without a change when all of it counts', async () => {
    await send(records);
    const before = await find(rules, match.run.id);
    expect(before).toMatchObject({ state: 'PLANNING' });
    expect(await send([])).toEqual({ acknowledged: 4 });
    expect(await find(rules, match.run.id)).toEqual(before);
  });

  it('is answered for a run without a log', async () => {
    expect(await send([])).toEqual({ acknowledged: 0 });
  });
});
