// Handing out runs on PostgreSQL: beside a bare claim on the same server, by the length of the queue, and with the
// connections of two processes beside those of one.
import { sql, type Kysely } from 'kysely';
import { assignNext } from '../control-plane/queue/assign.js';
import type { Database } from '../control-plane/store/schema.js';
import {
  makePool,
  makeRun,
  makeStack,
  makeWorker,
  openRules,
  type Rules,
} from '../test/control-plane/support/rules.js';
import { usePostgres } from '../test/control-plane/support/rules-database.js';
import { figure, quantile, type Figure } from './figure.js';

const samples = 150;
/** A million runs take a minute to make, so they are asked for. */
const many = process.env['BENCH_MILLION'] === 'true' ? [100_000, 1_000_000] : [100_000];

export async function bench(): Promise<Figure[] | string> {
  if (!usePostgres('the queue')) return 'PostgreSQL is not installed';
  const rules = await openRules();
  try {
    const { db } = rules.context;
    const pool = await makePool(rules);
    await makeWorker(rules, pool);
    const stack = await makeStack(rules, pool);
    const template = (await makeRun(rules, stack, { type: 'PROPOSED' })).id;
    await fill(db, template, 1000);
    const bare = await bareClaims(db, 1000);
    const first = await assignments(rules, pool);
    const figures = [
      figure({
        name: 'claim + assignment, PostgreSQL',
        unit: '/s',
        samples: first.map((ms) => 1000 / ms),
        reference: { what: 'bare claim', samples: bare.map((ms) => 1000 / ms) },
        goal: { of: 'ratio', atLeast: 0.5 },
      }),
    ];
    await db.deleteFrom('runs').where('id', '!=', template).execute();
    const alone = await assignments(rules, pool);
    for (const count of many) {
      await fill(db, template, count);
      await sql`analyze runs`.execute(db);
      figures.push(
        figure({
          name: `assignment p50, ${count.toLocaleString('en')} runs queued`,
          unit: 'ms',
          samples: await assignments(rules, pool),
          reference: { what: '1 queued', samples: alone },
          goal: { of: 'ratio', atMost: 1.5 },
          note: `p99 of 1 queued ${quantile(alone, 0.99).toFixed(1)} ms`,
        }),
      );
    }
    return figures;
  } finally {
    await rules.close();
  }
}

/** Queues copies of a run. */
async function fill(db: Kysely<Database>, template: string, count: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`set local statement_timeout = 0`.execute(tx);
    await sql`create temporary table copy on commit drop as select * from runs where id = ${template}`.execute(
      tx,
    );
    const { rows } = await sql<{ column_name: string }>`select column_name from information_schema.columns
      where table_name = 'runs' and table_schema = 'public' and column_name not in ('id', 'queued_at')`.execute(
      tx,
    );
    const rest = sql.join(rows.map(({ column_name }) => sql.ref(column_name)));
    await sql`insert into runs (id, queued_at, ${rest})
      select 'Z' || lpad(n::text, 25, '0'), queued_at + n, ${rest} from copy, generate_series(1, ${sql.lit(count)}) as n
      on conflict do nothing`.execute(tx);
  });
}

/** Milliseconds of each. What was assigned is put back, which is not counted. */
async function assignments(rules: Rules, pool: string): Promise<number[]> {
  const { db } = rules.context;
  const times: number[] = [];
  for (let count = 0; count < samples; count += 1) {
    const began = performance.now();
    const match = await assignNext(rules.context, pool);
    times.push(performance.now() - began);
    if (match === undefined) throw new Error('nothing was assigned');
    const { id, turn } = match.run;
    await db
      .updateTable('workers')
      .set({ run_id: null, busy_since: null })
      .where('id', '=', match.worker.id)
      .execute();
    await db
      .updateTable('runs')
      .set({ state: 'QUEUED', worker_id: null, queued_at: rules.now + count, turn })
      .where('id', '=', id)
      .execute();
  }
  return times;
}

/** What anybody's queue on PostgreSQL does: lock the oldest row that nobody has, note who has it, commit. */
async function bareClaims(db: Kysely<Database>, count: number): Promise<number[]> {
  await sql`create table claims (id integer primary key, owner text, queued_at bigint not null)`.execute(db);
  await sql`insert into claims select n, null, n from generate_series(1, ${sql.lit(count)}) as n`.execute(db);
  await sql`create index claims_queue on claims (queued_at) where owner is null`.execute(db);
  const times: number[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    const began = performance.now();
    await db.transaction().execute(async (tx) => {
      const { rows } = await sql<{ id: number }>`select id from claims where owner is null
        order by queued_at limit 1 for update skip locked`.execute(tx);
      await sql`update claims set owner = 'w' where id = ${rows[0]?.id}`.execute(tx);
    });
    times.push(performance.now() - began);
  }
  await sql`drop table claims`.execute(db);
  return times;
}
