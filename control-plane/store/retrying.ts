// A database whose transactions are run again when PostgreSQL gave them up for another's sake. With several
// connections that is part of normal life; the rules are written as if each transaction were alone.
import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, type TransactionBuilder } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';

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

/** Transaction under way → what is done once it is committed. */
const after = new WeakMap<object, (() => void)[]>();

/**
 * Does something that must not fail once the transaction is committed, before its `execute` resolves; never when it is rolled
 * back, and once however often the work was done. Throws INTERNAL for a transaction of another kind of database.
 */
export function afterCommit(tx: object, step: () => void): void {
  const steps = after.get(tx);
  if (steps === undefined)
    throw new PoolwrightError('INTERNAL', 'Expected a transaction that tells of its commit.');
  steps.push(step);
}

/**
 * Work given to `transaction().execute` may be done several times; only its last time counts. So it must have no
 * effect but through its transaction, and by `afterCommit`.
 */
export class RetryingDatabase<Tables> extends Kysely<Tables> {
  override transaction(): TransactionBuilder<Tables> {
    const builder = super.transaction();
    const once = builder.execute.bind(builder);
    builder.execute = async (work) => {
      let steps: (() => void)[] = [];
      const result = await retried(() => {
        steps = [];
        return once((tx) => {
          after.set(tx, steps);
          return work(tx);
        });
      });
      for (const step of steps) step();
      return result;
    };
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
