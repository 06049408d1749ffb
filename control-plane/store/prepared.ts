// Statements that PostgreSQL parses and plans once for each connection instead of every time: for the few that are
// done most often, and whose planning takes longer than they do. The embedded database takes them like all others.
import { CompiledQuery, type Kysely } from 'kysely';
import type { Database } from './schema.js';

/** Rows of a prepared statement with the values of its parameters $1, $2, …. */
export type Prepared<Row, Values extends readonly unknown[]> = (
  db: Pick<Kysely<Database>, 'executeQuery'>,
  ...values: Values
) => Promise<readonly Row[]>;

const marked = /^\/\* prepared: ([\w-]+) \*\//;

/**
 * The plan is made without knowing the parameters: what the choice of an index depends on is written into the text.
 * And it must stay of use when a newer program adds a column meanwhile, so the rows are of named columns, never `*`.
 */
export function prepared<Row, Values extends readonly unknown[]>(
  name: string,
  text: string,
): Prepared<Row, Values> {
  const whole = `/* prepared: ${name} */ ${text}`;
  return async (db, ...values) => {
    const { rows } = await db.executeQuery<Row>(CompiledQuery.raw(whole, [...values]));
    return rows;
  };
}

/** The name that a text of `prepared` carries; undefined for all others. */
export function preparedName(text: string): string | undefined {
  return marked.exec(text)?.[1];
}
