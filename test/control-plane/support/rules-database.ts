// Which database the rules are tested on: the embedded one, or a PostgreSQL of the suite's own.
import { fileURLToPath } from 'node:url';
import type { Kysely } from 'kysely';
import { pino } from 'pino';
import { openDatabase } from '../../../control-plane/store/database.js';
import { openPostgres } from '../../../control-plane/store/postgres.js';
import type { Database } from '../../../control-plane/store/schema.js';
import { hasPostgres, startPostgres } from '../../support/postgres.js';

const template = fileURLToPath(new URL('../../../dist/database-template.tar.br', import.meta.url));

let onPostgres = false;

/** Suites that are imported afterwards run on PostgreSQL. Answers whether there is one. */
export function usePostgres(what: string): boolean {
  onPostgres = hasPostgres(`${what} on PostgreSQL`);
  return onPostgres;
}

/** Every change is made durable there, so a suite does fewer of them. */
export function isOnPostgres(): boolean {
  return onPostgres;
}

export interface RulesDatabase {
  readonly db: Kysely<Database>;
  close(): Promise<void>;
}

/** `connections`: to PostgreSQL at most. */
export async function openRulesDatabase(connections?: number): Promise<RulesDatabase> {
  if (!onPostgres) {
    const db = await openDatabase({ now: 0, template });
    return { db, close: () => db.destroy() };
  }
  const server = await startPostgres();
  try {
    const db = await openPostgres({
      url: await server.database(),
      now: 0,
      log: pino({ level: 'silent' }),
      ...(connections === undefined ? {} : { connections }),
    });
    return {
      db,
      async close() {
        await db.destroy();
        await server.close();
      },
    };
  } catch (error) {
    await server.close();
    throw error;
  }
}
