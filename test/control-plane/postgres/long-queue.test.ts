// A long queue: what is asked of it reads a few rows and pages, however many wait. PostgreSQL counts what it reads, which
// says so on any machine, loaded or not. `npm run test:million` is the same with a million runs.
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMetrics } from '../../../control-plane/metrics/metrics.js';
import { poolCounts } from '../../../control-plane/pools/workers.js';
import { assignNext } from '../../../control-plane/queue/assign.js';
import { lastPosition } from '../../../control-plane/queue/place-text.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { searchSchedulableRuns } from '../../../control-plane/queue/schedulable.js';
import { queuePosition, waitReason } from '../../../control-plane/queue/waiting.js';
import { acceptRun, beginRun } from '../../../control-plane/runs/attempts.js';
import { cancelRun, prioritizeRun } from '../../../control-plane/runs/decisions.js';
import { listRuns } from '../../../control-plane/runs/runs.js';
import { collectGarbage } from '../../../control-plane/store/garbage.js';
import { copyId, copyRun } from '../support/copies.js';
import { find, makePool, makeRun, makeStack, makeWorker, openRules, type Rules } from '../support/rules.js';
import { usePostgres } from '../support/rules-database.js';

const queued = Number(process.env['QUEUED_RUNS'] ?? '80000');
/** Rows and pages, for everything but places in the queue, which are counted, up to a bound. */
const few = 400;
/** Where places are counted: an entry of an index each, and its page until the next vacuum. */
const counted = 3 * lastPosition;

describe.skipIf(!usePostgres('a long queue'))(`a queue of ${queued.toLocaleString('en')} runs`, () => {
  let rules: Rules;
  let pool: string;
  /** One with almost all of the runs, which change nothing, and one with as many that do. */
  let reads: string;
  let writes: string;
  const last = copyId(queued / 2);

  beforeAll(async () => {
    // One connection: what it has read is known as soon as it is asked.
    rules = await openRules(1);
    const { db } = rules.context;
    pool = await makePool(rules);
    reads = await makeStack(rules, pool);
    writes = await makeStack(rules, pool);
    const first = await makeRun(rules, reads, { type: 'PROPOSED' });
    await copyRun(db, first.id, queued / 2);
    await makeRun(rules, writes);
    const second = await makeRun(rules, writes);
    await copyRun(db, second.id, queued / 2, 'Y');
    await makeWorker(rules, pool);
    await sql`set statement_timeout = 0`.execute(db);
    await sql`vacuum analyze`.execute(db);
  }, 600_000);
  afterAll(() => rules.close());

  /** Rows, index entries and pages of runs that `work` reads. */
  async function read(work: () => Promise<unknown>): Promise<number> {
    const { db } = rules.context;
    const all = async () => {
      await sql`select pg_stat_force_next_flush()`.execute(db);
      const { rows } = await sql<{ read: number }>`
        select (seq_tup_read + heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read + (
          select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'runs'
        ))::bigint as read
        from pg_stat_user_tables join pg_statio_user_tables using (relid) where relid = 'runs'::regclass`.execute(
        db,
      );
      return rows[0]?.read ?? 0;
    };
    const before = await all();
    await work();
    return (await all()) - before;
  }

  it('counts what is read: a look at every run shows', async () => {
    const everything = sql`select count(title) from runs`;
    expect(await read(() => everything.execute(rules.context.db))).toBeGreaterThan(queued);
  });

  it('is triggered into, assigned from, canceled in and prioritised in with a few rows', async () => {
    const { context } = rules;
    const username = 'test';
    expect(await read(() => makeRun(rules, reads, { type: 'PROPOSED' }))).toBeLessThan(few);
    expect(await read(() => makeRun(rules, writes))).toBeLessThan(few);
    let match: Awaited<ReturnType<typeof assignNext>>;
    const assign = async () => {
      match = await assignNext(context, pool);
    };
    expect(await read(assign)).toBeLessThan(few);
    if (match === undefined) throw new Error('nothing was assigned');
    const { run, worker } = match;
    expect(await read(() => acceptRun(context, run.id, run.attempt, worker.id))).toBeLessThan(few);
    expect(await read(() => beginRun(context, run.id, run.attempt, worker.id))).toBeLessThan(few);
    // Nobody is free now: that, too, is known at once.
    expect(await read(assign)).toBeLessThan(few);
    const place = { stack: writes, run: copyId(1, 'Y'), username };
    expect(await read(() => cancelRun(context, place))).toBeLessThan(few);
    const prioritize = { stack: writes, run: copyId(queued / 4, 'Y'), username, prioritize: true };
    expect(await read(() => prioritizeRun(context, prioritize))).toBeLessThan(few);
    expect(await read(() => sweep(context))).toBeLessThan(few);
  });

  it('is counted without counting, for the API and for monitoring', async () => {
    const { context } = rules;
    const { rows } = await sql<{ waiting: number }>`select count(*)::integer as waiting from runs
      where worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is null`.execute(context.db);
    const counted = () => poolCounts(context, pool);
    expect(await counted()).toMatchObject({ pendingRuns: rows[0]?.waiting });
    expect(await read(counted)).toBeLessThan(few);
    expect((await poolCounts(context, pool, ['root'])).pendingRuns).toBe(rows[0]?.waiting);
    const metrics = createMetrics(context);
    try {
      expect(await read(() => metrics.text())).toBeLessThan(few);
      expect(await metrics.text()).toContain(
        `spacelift_worker_pool_runs_pending{worker_pool_id="${pool}",worker_pool_name="${pool}"} ${String(rows[0]?.waiting)}`,
      );
    } finally {
      metrics.close();
    }
  });

  it('says why a run waits, and shows pages of itself, with a few rows', async () => {
    const { context } = rules;
    for (const id of [last, copyId(queued / 2, 'Y')]) {
      const run = await find(rules, id);
      expect(await read(() => waitReason(context, run))).toBeLessThan(few);
    }
    expect(await read(() => listRuns(context, { stack: reads }))).toBeLessThan(few);
    expect(await read(() => searchSchedulableRuns(context, pool, {}))).toBeLessThan(counted);
    const page = await searchSchedulableRuns(context, pool, { first: 100 });
    const next = await searchSchedulableRuns(context, pool, { first: 100, after: page.pageInfo.endCursor });
    const positions = [...page.edges, ...next.edges].map(({ node }) => node.position);
    const first = positions[0] ?? -1;
    expect(positions).toEqual(positions.map((_, index) => first + index));
    const stores = {
      logs: {
        list: () => Promise.resolve([{ run: last, modifiedAt: 0 }]),
        delete: () => Promise.reject(new Error('of a run that is there')),
        tidy: () => Promise.resolve(0),
      },
      objects: {
        list: () => Promise.resolve([{ id: 'object', modifiedAt: 0 }]),
        delete: () => Promise.resolve(),
      },
    };
    expect(await read(() => collectGarbage(context, stores))).toBeLessThan(few);
  });

  it('counts places up to a bound, and tells who is further back that one', async () => {
    const position = async (id: string) => queuePosition(rules.context, await find(rules, id));
    expect(await position(copyId(500))).toBe(await waitingBefore(copyId(500)));
    const far = await position(last);
    expect(far).toBe(Math.min(lastPosition, await waitingBefore(last)));
    const run = await find(rules, last);
    expect(await read(() => queuePosition(rules.context, run))).toBeLessThan(counted);
  });

  async function waitingBefore(id: string): Promise<number> {
    const { rows } = await sql<{ place: number }>`
      select place::integer from (
        select id, row_number() over (order by priority desc, turn, queued_at, id) as place from runs
        where worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is null
      ) as placed where id = ${id}`.execute(rules.context.db);
    return rows[0]?.place ?? 0;
  }
});
