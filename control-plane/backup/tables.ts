// Every table as text, row by row, so that what one database holds can be put into another one of the same version.
import { sql, type Kysely, type Transaction } from 'kysely';
import type { Database } from '../store/schema.js';

/** Rows read or written with one statement. */
const batch = 500;

/**
 * Not copied: which steps were applied, logs, which have a store of their own, what follows from the runs, codes that count
 * for minutes, and sessions: one that was ended must not come back with a backup.
 */
const apart: readonly string[] = [
  'schema_migrations',
  'log_attempts',
  'log_chunks',
  'pending_runs',
  'sign_in_codes',
  'browser_sessions',
];

type Executor = Kysely<Database>;

/** For a transaction that waits for files: PostgreSQL is not to end it meanwhile. */
export async function takeTime(tx: Transaction<Database>): Promise<void> {
  await sql`set local idle_in_transaction_session_timeout = 0`.execute(tx);
}

/** Tables of the control plane, each after those that it refers to. */
export async function tableNames(db: Executor): Promise<string[]> {
  const { rows: tables } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables
    where table_schema = current_schema() and table_type = 'BASE TABLE' order by table_name`.execute(db);
  const { rows: references } = await sql<{ name: string; refers: string }>`
    select conrelid::regclass::text as name, confrelid::regclass::text as refers
    from pg_constraint where contype = 'f' and connamespace = current_schema()::regnamespace`.execute(db);
  const left = new Set(tables.map(({ name }) => name).filter((name) => !apart.includes(name)));
  const ordered: string[] = [];
  while (left.size > 0) {
    const ready = [...left].filter((name) =>
      references.every((one) => one.name !== name || one.refers === name || !left.has(one.refers)),
    );
    if (ready.length === 0)
      throw new Error(`tables refer to each other in a circle: ${[...left].join(', ')}`);
    for (const name of ready) {
      ordered.push(name);
      left.delete(name);
    }
  }
  return ordered;
}

/** The rows of a table as JSON texts, in batches. The transaction decides what is seen. */
export async function* rowsOf(tx: Transaction<Database>, table: string): AsyncGenerator<string[]> {
  await sql`declare rows no scroll cursor for select row_to_json(t)::text as row from ${sql.table(table)} as t`.execute(
    tx,
  );
  try {
    for (;;) {
      const { rows } = await sql<{ row: string }>`fetch ${sql.lit(batch)} from rows`.execute(tx);
      if (rows.length === 0) return;
      yield rows.map(({ row }) => row);
    }
  } finally {
    await sql`close rows`.execute(tx);
  }
}

export async function insertRows(
  tx: Transaction<Database>,
  table: string,
  rows: readonly string[],
): Promise<void> {
  if (rows.length === 0) return;
  const name = sql.table(table);
  await sql`insert into ${name} overriding system value
    select * from json_populate_recordset(null::${name}, ${`[${rows.join(',')}]`}::json)`.execute(tx);
}

/** Empties the tables, the last one first; a new database holds what its migrations put there. */
export async function emptyTables(tx: Transaction<Database>, tables: readonly string[]): Promise<void> {
  for (const table of tables.toReversed()) await sql`delete from ${sql.table(table)}`.execute(tx);
}

/** Whether nobody has worked with the database: no API key, no secret, no stack, no run. */
export async function isUnused(db: Executor): Promise<boolean> {
  for (const table of ['secrets', 'api_keys', 'stacks', 'runs'] as const) {
    const { rows } = await sql`select 1 from ${sql.table(table)} limit 1`.execute(db);
    if (rows.length > 0) return false;
  }
  return true;
}
