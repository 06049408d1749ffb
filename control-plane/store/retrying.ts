// A database whose transactions are run again when PostgreSQL gave them up for another's sake. With several
// connections that is part of normal life; the rules are written as if each transaction were alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, type TransactionBuilder } from 'kysely';

/** SQLSTATE of a transaction that did nothing wrong: serialisation failure and deadlock. */
const givenUp: readonly unknown[] = ['40001', '40P01'];

/** Unique indexes that two transactions run into when each took a row that the other could not see yet. */
const raced: readonly unknown[] = ['runs_one_write_per_stack', 'runs_worker'];

const triesAtMost = 8;

/** Code and index of what the database answered; undefined for other errors. */
export function databaseFault(
  error: unknown,
): { readonly code: string; readonly constraint: unknown } | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return { code: error.code, constraint: 'constraint' in error ? error.constraint : undefined };
}

/** Whether the same work may succeed when it is done again at once. */
export function isRace(error: unknown): boolean {
  const fault = databaseFault(error);
  if (fault === undefined) return false;
  return givenUp.includes(fault.code) || (fault.code === '23505' && raced.includes(fault.constraint));
}

/**
 * Work given to `transaction().execute` may be done several times; only its last time counts. So it must have no
 * effect but through its transaction.
 */
export class RetryingDatabase<Tables> extends Kysely<Tables> {
  override transaction(): TransactionBuilder<Tables> {
    const builder = super.transaction();
    const once = builder.execute.bind(builder);
    builder.execute = (work) => retried(() => once(work));
    return builder;
  }
}

/** For a change that is one statement, and so needs no transaction. */
export async function retried<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries >= triesAtMost || !isRace(error)) throw error;
      await sleep(Math.random() * 5 * 2 ** tries);
    }
  }
}
