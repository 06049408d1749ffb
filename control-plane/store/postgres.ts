// Opens a PostgreSQL database by its URL: a pool of connections, bounded in number and in time.
import { setTimeout as sleep } from 'node:timers/promises';
import { PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Logger } from 'pino';
import { PoolwrightError, messageOf } from '../../protocol/errors.js';
import { migrate } from './migrations.js';
import { postgresPool } from './postgres-pool.js';
import { databaseFault, RetryingDatabase } from './retrying.js';
import type { Database } from './schema.js';

/** The first version that is tested; `server_version_num` of PostgreSQL. */
const oldestServer = 150_000;

/** Milliseconds. */
const times = {
  connect: 10_000,
  statement: 30_000,
  /** A transaction whose process hangs lets go of its locks. */
  idleInTransaction: 30_000,
  /** How long a start waits for a database that does not answer yet. */
  patience: 30_000,
} as const;

export const usualConnections = 10;

/** int8: times and counts, all below 2 to the power of 53. Read as numbers, as from the embedded database. */
const int8 = 20;
const types = new pg.TypeOverrides();
types.setTypeParser(int8, Number);

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`. */
  readonly url: string;
  /** Connections at most; default `usualConnections`. */
  readonly connections?: number;
  /** Unix milliseconds. */
  readonly now: number;
  readonly log: Logger;
  /** Told when something takes longer than a moment. */
  readonly onProgress?: (line: string) => void;
}

/** What a connection of its own needs, as for listening. */
export function connectionConfig(url: string): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: 'poolwright',
    connectionTimeoutMillis: times.connect,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types,
  };
}

/**
 * Waits until the database answers, and migrates it. The caller closes it with `destroy()`. Throws
 * INVALID_ARGUMENT for a URL that is none, UNAVAILABLE when nothing answers, DATABASE_UNUSABLE.
 */
export async function openPostgres(options: PostgresOptions): Promise<RetryingDatabase<Database>> {
  const place = placeOf(options.url);
  const pool = new pg.Pool({
    ...connectionConfig(options.url),
    max: options.connections ?? usualConnections,
    idleTimeoutMillis: 60_000,
    statement_timeout: times.statement,
    idle_in_transaction_session_timeout: times.idleInTransaction,
  });
  // An idle connection that breaks is replaced when the next one is wanted.
  pool.on('error', (error) => {
    options.log.warn({ reason: error.message }, 'a connection to the database broke');
  });
  // The pool listens to idle connections only. One that breaks between two statements of a transaction would end the process;
  // the next statement fails by itself.
  pool.on('connect', (client) => {
    client.on('error', () => undefined);
  });
  const db = new RetryingDatabase<Database>({ dialect: new PostgresDialect({ pool: postgresPool(pool) }) });
  try {
    await reached(pool, place, options);
    await assertVersion(pool, place);
    await migrate(db, options.now);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return db;
}

/** Host, port and database, for people: never the password. Throws INVALID_ARGUMENT. */
export function placeOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^postgres(ql)?:$/.test(parsed.protocol)) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      'Expected the URL of a database such as postgres://user:password@host:5432/poolwright.',
    );
  }
  const host = parsed.searchParams.get('host') ?? parsed.hostname;
  return `${host}${parsed.port === '' ? '' : `:${parsed.port}`}${parsed.pathname}`;
}

async function reached(pool: pg.Pool, place: string, { onProgress }: PostgresOptions): Promise<void> {
  const until = Date.now() + times.patience;
  for (let said = false; ;) {
    try {
      (await pool.connect()).release();
      return;
    } catch (error) {
      if (!mayAnswerLater(error)) throw refused(place, error);
      if (Date.now() >= until) {
        throw new PoolwrightError(
          'UNAVAILABLE',
          `The database at ${place} does not answer (${messageOf(error)}). Start it, or correct DATABASE_URL.`,
          { cause: error },
        );
      }
      if (!said) onProgress?.(`waiting for the database at ${place} (${messageOf(error)})`);
      said = true;
      await sleep(500);
    }
  }
}

/** 57P03: it starts up. 53300: too many connections. Without an SQLSTATE: nothing listens, or no answer. */
function mayAnswerLater(error: unknown): boolean {
  const code = databaseFault(error)?.code;
  return code === undefined || !/^[0-9A-Z]{5}$/.test(code) || code === '57P03' || code === '53300';
}

function refused(place: string, error: unknown): PoolwrightError {
  return new PoolwrightError(
    'DATABASE_UNUSABLE',
    `The database at ${place} refuses the connection (${messageOf(error)}). Correct user, password and name in DATABASE_URL.`,
    { cause: error },
  );
}

async function assertVersion(pool: pg.Pool, place: string): Promise<void> {
  const { rows } = await pool.query<{ server_version_num: string }>('show server_version_num');
  const version = Number(rows[0]?.server_version_num);
  if (version >= oldestServer) return;
  throw new PoolwrightError(
    'DATABASE_UNUSABLE',
    `The database at ${place} is of PostgreSQL ${String(Math.floor(version / 10_000))}. Expected 15 or later.`,
  );
}
