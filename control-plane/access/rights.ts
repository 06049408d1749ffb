// What a key may do and where. A right in a space is a right in all spaces below it.
import { sql } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import type { Context } from '../context.js';
import type { Identity } from './api-keys.js';

export type Right = 'read' | 'operate' | 'administer';

export interface Rights {
  readonly identity: Identity;
  /** Spaces whose things it sees; null: all. */
  readonly spaces: readonly string[] | null;
  sees(space: string): boolean;
  /** Throws FORBIDDEN for a thing that it sees and may not change. `where`: the space; not given: everywhere. */
  assert(right: Right, where?: string): void;
}

/** One query for a key of given spaces, none for one of all. */
export async function rightsOf(context: Pick<Context, 'db'>, identity: Identity): Promise<Rights> {
  const everywhere = identity.role === 'administrator' || identity.spaces.includes('root');
  const spaces = everywhere ? null : await spacesBelow(context, identity.spaces);
  const known = new Set(spaces);
  const sees = (space: string) => spaces === null || known.has(space);
  return {
    identity,
    spaces,
    sees,
    assert(right, where) {
      if (identity.role === 'administrator') return;
      const may = right === 'read' || (right === 'operate' && identity.role === 'operator');
      if (may && (where === undefined ? spaces === null : sees(where))) return;
      throw new PoolwrightError('FORBIDDEN', messageFor(identity, right, where));
    },
  };
}

function messageFor({ name, role }: Identity, right: Right, where: string | undefined): string {
  if (right === 'administer') return `The API key ${name} is not an administrator's, which this needs.`;
  if (right === 'operate' && role === 'reader')
    return `The API key ${name} may read only. Use one that may also change things.`;
  return where === undefined
    ? `The API key ${name} is for given spaces, and this is of all of them.`
    : `The API key ${name} has no right in the space ${where}.`;
}

/** The given spaces and all below them. */
async function spacesBelow(context: Pick<Context, 'db'>, spaces: readonly string[]): Promise<string[]> {
  if (spaces.length === 0) return [];
  const { rows } = await sql<{ id: string }>`
    with recursive below as (
      select id from spaces where id in (${sql.join(spaces)})
      union
      select spaces.id from spaces join below on spaces.parent = below.id
    )
    select id from below`.execute(context.db);
  return rows.map(({ id }) => id);
}
