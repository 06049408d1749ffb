// Stacks and pools as somebody sees them: what they have no right to see is not there for them.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Context } from '../context.js';
import { findPool } from '../pools/pools.js';
import { findStack, stackNotFound } from '../stacks/stacks.js';
import type { PoolRow, StackRow } from '../store/schema.js';
import type { Right, Rights } from './rights.js';

type Reading = Pick<Context, 'db'>;

export async function visibleStack(
  context: Reading,
  rights: Rights,
  id: string,
): Promise<StackRow | undefined> {
  const stack = await findStack(context, id);
  return stack !== undefined && rights.sees(stack.space) ? stack : undefined;
}

/** The public pool is not among them: it has a place of its own. */
export async function visiblePool(
  context: Reading,
  rights: Rights,
  id: string,
): Promise<PoolRow | undefined> {
  const pool = await findPool(context, id);
  return pool !== undefined && !pool.public && rights.sees(pool.space) ? pool : undefined;
}

/** A stack that they may do this with. Throws NOT_FOUND, FORBIDDEN. */
export async function stackFor(
  context: Reading,
  rights: Rights,
  id: string,
  right: Right,
): Promise<StackRow> {
  const stack = await visibleStack(context, rights, id);
  if (stack === undefined) throw stackNotFound(id);
  rights.assert(right, stack.space);
  return stack;
}

/** The same for a pool; the public one is an administrator's to change. */
export async function poolFor(context: Reading, rights: Rights, id: string, right: Right): Promise<PoolRow> {
  const pool = await findPool(context, id);
  if (pool === undefined || (!pool.public && !rights.sees(pool.space)))
    throw new PoolwrightError('NOT_FOUND', `There is no worker pool ${id}.`);
  if (pool.public) rights.assert('administer');
  else rights.assert(right, pool.space);
  return pool;
}
