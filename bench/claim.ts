// Claim and assignment on PostgreSQL, beside claims that do nothing else, on the same server: in a transaction, as a
// queue on SELECT … FOR UPDATE SKIP LOCKED is usually written, and as the one statement that is the least there can be.
import { sql, type Kysely } from 'kysely';
import { assignNext } from '../control-plane/queue/assign.js';
import { prepared } from '../control-plane/store/prepared.js';
import type { Database } from '../control-plane/store/schema.js';
import { makePool, makeRun, makeStack, makeWorker, openRules } from '../test/control-plane/support/rules.js';
import { copyRun } from '../test/control-plane/support/copies.js';
import { usePostgres } from '../test/control-plane/support/rules-database.js';
import { elapsed } from './clock.js';
import { figure, type Figure } from './figure.js';
import { putBack } from './support/queue.js';

const queued = 2000;
const samples = 300;

export async function bench(): Promise<Figure[] | string> {
  if (!usePostgres('the claim')) return 'PostgreSQL is not installed';
  const rules = await openRules();
  try {
    const { db } = rules.context;
    const pool = await makePool(rules);
    await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    await copyRun(db, (await makeRun(rules, stack, { type: 'PROPOSED' })).id, queued);
    await makeClaims(db);
    const ours: number[] = [];
    const transactions: number[] = [];
    const statements: number[] = [];
    // In turn, one by one: whatever else the machine does hits all alike.
    for (let sample = 0; sample < samples; sample += 1) {
      transactions.push(await elapsed(() => claimInTransaction(db)));
      statements.push(await elapsed(() => claimInStatement(db)));
      const began = performance.now();
      const match = await assignNext(rules.context, pool);
      ours.push(performance.now() - began);
      if (match === undefined) throw new Error('nothing was assigned');
      await putBack(db, match, match.run.queued_at + queued);
    }
    const perSecond = (times: readonly number[]) => times.map((time) => 1000 / time);
    const beside = (what: string, times: readonly number[], goal?: 0.5) =>
      figure({
        name: 'claim + assignment, PostgreSQL',
        unit: '/s',
        samples: perSecond(ours),
        reference: { what, samples: perSecond(times) },
        ...(goal === undefined ? {} : { goal: { of: 'ratio', atLeast: goal } }),
      });
    return [
      beside('bare claim (select for update skip locked, update)', transactions, 0.5),
      beside('bare claim in one prepared statement', statements),
    ];
  } finally {
    await rules.close();
  }
}

async function makeClaims(db: Kysely<Database>): Promise<void> {
  await sql`create table claims (id integer primary key, owner text, queued_at bigint not null)`.execute(db);
  await sql`insert into claims select n, null, n from generate_series(1, ${sql.lit(queued)}) as n`.execute(
    db,
  );
  await sql`create index claims_queue on claims (queued_at) where owner is null`.execute(db);
  await sql`analyze`.execute(db);
}

function claimInTransaction(db: Kysely<Database>): Promise<void> {
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ id: number }>`select id from claims where owner is null
      order by queued_at limit 1 for update skip locked`.execute(tx);
    await sql`update claims set owner = 'w' where id = ${rows[0]?.id}`.execute(tx);
  });
}

const claimInStatement = prepared<{ id: number }, []>(
  'bare-claim',
  `update claims set owner = 'w' where id = (
    select id from claims where owner is null order by queued_at limit 1 for update skip locked
  ) returning id`,
);
