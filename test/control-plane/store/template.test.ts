// A first start from the template: the same database as one that is created and migrated, and no step of it is done again.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql, type Kysely } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../../control-plane/store/database.js';
import { newestVersion } from '../../../control-plane/store/migrations.js';
import type { Database } from '../../../control-plane/store/schema.js';

const template = fileURLToPath(new URL('../../../dist/database-template.tar.br', import.meta.url));
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-template-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function shape(db: Kysely<Database>): Promise<string[]> {
  const { rows } = await sql<{ line: string }>`
    select 'column ' || table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable
      || ' ' || coalesce(column_default, '') as line
    from information_schema.columns where table_schema = 'public'
    union all select 'index ' || indexdef from pg_indexes where schemaname = 'public'
    union all select 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace
    order by line`.execute(db);
  return rows.map(({ line }) => line);
}

async function applied(db: Kysely<Database>): Promise<number[]> {
  const rows = await db
    .selectFrom('schema_migrations')
    .select(['number', 'applied_at'])
    .orderBy('number')
    .execute();
  return rows.map(({ applied_at }) => applied_at);
}

describe('a first start from the template', { timeout: 60_000 }, () => {
  it('has the tables that the steps make, each applied when it was opened', async () => {
    const created = await openDatabase({ now: 7 });
    const unpacked = await openDatabase({ folder: join(folder, 'a'), template, now: 7 });
    const inMemory = await openDatabase({ template, now: 7 });
    const expected = await shape(created);
    expect(expected.length).toBeGreaterThan(300);
    expect(await shape(unpacked)).toEqual(expected);
    expect(await shape(inMemory)).toEqual(expected);
    for (const db of [created, unpacked, inMemory]) {
      expect(await applied(db)).toEqual(Array.from({ length: newestVersion }, () => 7));
      await db.destroy();
    }
  });

  it('keeps what it was given over the next start, and when its steps were applied', async () => {
    const first = await openDatabase({ folder: join(folder, 'b'), template, now: 7 });
    await first
      .insertInto('api_keys')
      .values({ id: 'k', name: 'k', secret_hash: 'h', role: 'reader', created_at: 7, revoked_at: null })
      .execute();
    await first.destroy();
    const again = await openDatabase({ folder: join(folder, 'b'), template, now: 8 });
    expect(await again.selectFrom('api_keys').select('id').execute()).toEqual([{ id: 'k' }]);
    expect(new Set(await applied(again))).toEqual(new Set([7]));
    await again.destroy();
  });

  it('is not half there: what a killed start left is made again, and nobody else reads it', async () => {
    const place = join(folder, 'c');
    const killed = await openDatabase({ folder: `${place}.new`, template, now: 7 });
    await killed.destroy();
    await rm(join(`${place}.new`, 'global'), { recursive: true });
    const db = await openDatabase({ folder: place, template, now: 8 });
    expect(new Set(await applied(db))).toEqual(new Set([8]));
    await db.destroy();
    expect(await readdir(folder)).not.toContain('c.new');
    expect((await stat(place)).mode & 0o777).toBe(0o700);
    expect((await stat(join(place, 'PG_VERSION'))).mode & 0o777).toBe(0o600);
  });
});
