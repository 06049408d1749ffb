// Lets the query builder's PostgreSQL dialect use the embedded database. There is one connection: who has it,
// has the database alone until it is given back, so a transaction is never mixed with another's statements.
import type { PGlite } from '@electric-sql/pglite';
import type { PostgresPool, PostgresPoolClient } from 'kysely';

type Release = () => void;

/** A pool of one connection in the form that kysely's PostgresDialect takes. */
export function pglitePool(database: PGlite): PostgresPool {
  let free: Promise<void> = Promise.resolve();

  async function acquire(): Promise<Release> {
    let release: Release = () => undefined;
    const before = free;
    free = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    return release;
  }

  return {
    async connect() {
      const release = await acquire();
      const client = {
        async query(text: string, parameters: readonly unknown[]) {
          const result = await database.query<Record<string, unknown>>(text, [...parameters]);
          return {
            command: commandOf(text),
            rowCount: result.affectedRows ?? result.rows.length,
            rows: result.rows,
          };
        },
        release,
      };
      // The cursor form of `query` is for streaming reads, which the control plane does not use.
      return client as unknown as PostgresPoolClient;
    },
    async end() {
      await free;
      await database.close();
    },
  };
}

type Command = 'INSERT' | 'UPDATE' | 'DELETE' | 'MERGE' | 'SELECT';

function commandOf(text: string): Command {
  const word = /^\s*(insert|update|delete|merge)\b/i.exec(text)?.[1]?.toUpperCase();
  return (word ?? 'SELECT') as Command;
}
