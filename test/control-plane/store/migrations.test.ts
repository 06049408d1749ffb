// A database of an earlier version opens, keeps everything, and its queue goes on.
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { newestVersion, migrate } from '../../../control-plane/store/migrations.js';
import { pglitePool } from '../../../control-plane/store/pglite-pool.js';
import { publicPoolId, type Database } from '../../../control-plane/store/schema.js';

/** What the first version wrote. */
const firstVersion = [
  `insert into api_keys values ('k', 'administrator', 'hash', 'administrator', 1, null)`,
  `insert into worker_pools (id, name, description, labels, space, managed_by_k8s_controller, certificate,
    certificate_serial, public_key, created_at, updated_at)
    values ('p', 'pool', '', '[]', 'team', false, 'c', '01', 'key', 1, 1)`,
  `insert into stacks (id, name, description, labels, space, pool_id, tool, branch, autodeploy, administrative,
    disabled, hooks, commands, created_at, updated_at)
    values ('s', 'stack', '', '[]', 'team', 'p', 'commands', 'main', false, false, false, '{}', '{}', 1, 1)`,
  ...['1', '2'].map(
    (
      id,
    ) => `insert into runs (id, stack_id, pool_id, type, state, stage, attempt, begun, unbegun_attempts, title,
      created_at, updated_at, queued_at, deadline_at, priority, applied_number, requested_by, runtime_config)
      values ('${id}', 's', 'p', 'TRACKED', 'QUEUED', 'PLAN', 0, false, 0, 'run ${id}', 1, 1, ${id}, 9, 0, 0, 'me', '{}')`,
  ),
  `insert into run_transitions values ('1', 1, 'QUEUED', 1, null, 'me', null, 0)`,
];

describe('a database of the first version', () => {
  it('is brought up to date step by step, once, with all that is in it', { timeout: 60_000 }, async () => {
    const db = new Kysely<Database>({
      dialect: new PostgresDialect({ pool: pglitePool(await PGlite.create()) }),
    });
    try {
      expect(await migrate(db, 1, 1)).toBe(1);
      for (const statement of firstVersion) await sql.raw(statement).execute(db);
      expect(await migrate(db, 2)).toBe(newestVersion - 1);
      expect(await migrate(db, 3)).toBe(0);
      const runs = await db.selectFrom('runs').selectAll().orderBy('id').execute();
      expect(runs).toMatchObject([
        { id: '1', turn: 0, hold: null, drift: false },
        { id: '2', turn: 0, hold: null, drift: false },
      ]);
      expect(await db.selectFrom('stacks').selectAll().execute()).toMatchObject([
        { id: 's', locked_by: null, space: 'team' },
      ]);
      const pools = await db.selectFrom('worker_pools').select(['id', 'public']).orderBy('id').execute();
      expect(pools).toEqual([
        { id: publicPoolId, public: true },
        { id: 'p', public: false },
      ]);
    } finally {
      await db.destroy();
    }
  });
});
