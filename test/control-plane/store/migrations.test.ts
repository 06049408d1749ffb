// A database of every earlier version is brought to the newest one with all that is in it, and works.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { PostgresDialect, sql, type Kysely } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { migrate, newestVersion } from '../../../control-plane/store/migrations.js';
import { pglitePool } from '../../../control-plane/store/pglite-pool.js';
import { openPostgres } from '../../../control-plane/store/postgres.js';
import { RetryingDatabase } from '../../../control-plane/store/retrying.js';
import type { Database } from '../../../control-plane/store/schema.js';
import { pino } from 'pino';
import { expectFiguresToHold } from '../support/figures.js';
import { hasPostgres, startPostgres, type TestPostgres } from '../../support/postgres.js';

const fixture = readFileSync(fileURLToPath(new URL('version-1.sql', import.meta.url)), 'utf8');
const earlier = Array.from({ length: newestVersion - 1 }, (_, index) => index + 1);

async function fillAt(db: Kysely<Database>, version: number): Promise<void> {
  await migrate(db, 1, 1);
  for (const statement of fixture.split(/;\n/).filter((text) => text.trim() !== ''))
    await sql.raw(statement).execute(db);
  await migrate(db, 2, version);
}

/** What was stored is there, unchanged, and the rows fit the program of today. */
async function check(db: Kysely<Database>): Promise<void> {
  const [run] = await db.selectFrom('runs').selectAll().where('state', '=', 'QUEUED').execute();
  expect(run).toMatchObject({
    id: '01HZ00000000000000000000RB',
    title: 'second',
    deadline_at: 9_000_000_000_000,
    waiting_since: 6,
    worker_id: null,
    runtime_config: { environment: [{ name: 'A', value: 'b' }] },
  });
  const pool = await db
    .selectFrom('worker_pools')
    .selectAll()
    .where('name', '=', 'pool')
    .executeTakeFirstOrThrow();
  expect(pool).toMatchObject({ labels: ['a', 'b'], drift_detection_run_limit: 2, description: 'a "pool"' });
  const counts = await Promise.all(
    (['api_keys', 'workers', 'stacks', 'stack_variables', 'runs', 'run_transitions', 'uploads'] as const).map(
      async (table) => {
        const { rows } = await sql<{
          count: number;
        }>`select count(*)::int as count from ${sql.table(table)}`.execute(db);
        return rows[0]?.count;
      },
    ),
  );
  expect(counts).toEqual([1, 1, 1, 1, 2, 5, 1]);
  await expectFiguresToHold(db);
  const { rows: kept } = await sql`select waited, held_since from run_transitions
    where coalesce(waited, held_since) is not null order by number`.execute(db);
  expect(kept).toEqual([
    { waited: 2, held_since: null },
    { waited: null, held_since: 4 },
  ]);
}

describe('a database of an earlier version', () => {
  let empty: Blob;
  beforeAll(async () => {
    const cluster = await PGlite.create();
    empty = await cluster.dumpDataDir('none');
    await cluster.close();
  });

  it.each(earlier)('%s is brought up to date, embedded', async (version) => {
    const pglite = await PGlite.create({ loadDataDir: empty });
    const db = new RetryingDatabase<Database>({ dialect: new PostgresDialect({ pool: pglitePool(pglite) }) });
    onTestFinished(() => db.destroy());
    await fillAt(db, version);
    expect(await migrate(db, 3)).toBeGreaterThan(0);
    expect(await migrate(db, 4)).toBe(0);
    await check(db);
  });

  describe.skipIf(!hasPostgres('migrations'))('on PostgreSQL', () => {
    let server: TestPostgres;
    beforeAll(async () => {
      server = await startPostgres();
    }, 60_000);
    afterAll(() => server.close());

    it.each(earlier)('%s is brought up to date', async (version) => {
      const url = await server.database();
      const old = new RetryingDatabase<Database>({
        dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url, max: 2 }) }),
      });
      await fillAt(old, version);
      await old.destroy();
      const db = await openPostgres({ url, now: 3, log: pino({ level: 'silent' }) });
      try {
        await check(db);
      } finally {
        await db.destroy();
      }
    });
  });
});
