// Lets the query builder's PostgreSQL dialect use statements that are prepared on their connection.
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type pg from 'pg';
import { preparedName } from './prepared.js';

export function postgresPool(pool: pg.Pool): PostgresPool {
  return {
    async connect() {
      const client = await pool.connect();
      const reserved = {
        query(text: string, parameters: readonly unknown[]) {
          const values = [...parameters];
          const name = preparedName(text);
          return name === undefined ? client.query(text, values) : client.query({ name, text, values });
        },
        release: () => {
          client.release();
        },
      };
      // The cursor form of `query` is for streaming reads, which the control plane does not use.
      return reserved as unknown as PostgresPoolClient;
    },
    end: () => pool.end(),
  };
}
