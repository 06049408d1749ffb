// Claims that meet on PostgreSQL: at the same time, beside other transactions, and across an upgrade.
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { assignNext } from '../../../control-plane/queue/assign.js';
import { makePool, makeRun, makeStack, makeWorker, openRules, type Rules } from '../support/rules.js';
import { usePostgres } from '../support/rules-database.js';

describe.skipIf(!usePostgres('claims that meet'))('claims that meet', () => {
  let rules: Rules;
  let pool: string;
  beforeAll(async () => {
    rules = await openRules();
  });
  afterAll(() => rules.close());
  beforeEach(async () => {
    await rules.reset();
    pool = await makePool(rules);
  });

  async function filled(workers: number, runs: number): Promise<void> {
    for (let count = 0; count < workers; count += 1) await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    for (let count = 0; count < runs; count += 1) await makeRun(rules, stack, { type: 'PROPOSED' });
  }

  it('give each run to one worker and each worker one run', async () => {
    await filled(12, 16);
    const claimer = async () => {
      const mine: { run: string; worker: string }[] = [];
      for (let missed = 0; missed < 5;) {
        const match = await assignNext(rules.context, pool);
        if (match === undefined) missed += 1;
        else mine.push({ run: match.run.id, worker: match.worker.id });
      }
      return mine;
    };
    const all = (await Promise.all(Array.from({ length: 6 }, claimer))).flat();
    expect(all).toHaveLength(12);
    expect(new Set(all.map(({ run }) => run)).size).toBe(12);
    expect(new Set(all.map(({ worker }) => worker)).size).toBe(12);
    const workers = await rules.context.db.selectFrom('workers').select(['id', 'run_id as run']).execute();
    expect(workers.map(({ id, run }) => `${id} ${String(run)}`).sort()).toEqual(
      all.map(({ run, worker }) => `${worker} ${run}`).sort(),
    );
  });

  it('do not wait for a transaction that holds the pool', async () => {
    await filled(2, 2);
    await rules.context.db.transaction().execute(async (tx) => {
      await sql`select 1 from worker_pools where id = ${pool} for update`.execute(tx);
      expect(await assignNext(rules.context, pool)).toBeDefined();
    });
    expect(await assignNext(rules.context, pool)).toMatchObject({ run: { turn: 2 } });
    const { turn } = await rules.context.db
      .selectFrom('worker_pools')
      .select('turn')
      .where('id', '=', pool)
      .executeTakeFirstOrThrow();
    expect(turn).toBe(2);
  });

  it('go on when a newer program adds a column', async () => {
    // Often enough that every connection has prepared it.
    await filled(24, 24);
    for (let count = 0; count < 12; count += 1) await assignNext(rules.context, pool);
    await sql`alter table runs add column later text`.execute(rules.context.db);
    try {
      for (let count = 0; count < 12; count += 1) {
        expect(await assignNext(rules.context, pool)).toMatchObject({ run: { state: 'READY', attempt: 1 } });
      }
    } finally {
      await sql`alter table runs drop column later`.execute(rules.context.db);
    }
  });
});
