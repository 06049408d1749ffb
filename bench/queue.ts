// Handing out runs on PostgreSQL, by the length of the queue.
import { sql } from 'kysely';
import { assignNext } from '../control-plane/queue/assign.js';
import {
  makePool,
  makeRun,
  makeStack,
  makeWorker,
  openRules,
  type Rules,
} from '../test/control-plane/support/rules.js';
import { copyRun } from '../test/control-plane/support/copies.js';
import { usePostgres } from '../test/control-plane/support/rules-database.js';
import { figure, quantile, type Figure } from './figure.js';
import { putBack } from './support/queue.js';

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
    const figures: Figure[] = [];
    const alone = await assignments(rules, pool);
    for (const count of many) {
      await copyRun(db, template, count);
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

/** Milliseconds of each. What was assigned is put back, which is not counted. */
async function assignments(rules: Rules, pool: string): Promise<number[]> {
  const { db } = rules.context;
  const times: number[] = [];
  for (let count = 0; count < samples; count += 1) {
    const began = performance.now();
    const match = await assignNext(rules.context, pool);
    times.push(performance.now() - began);
    if (match === undefined) throw new Error('nothing was assigned');
    await putBack(db, match, rules.now + count);
  }
  return times;
}
