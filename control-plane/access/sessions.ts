// Who is signed in with a browser. A session is a row: it ends when the row goes, however many copies of its cookie there
// are. Each sign-in makes a new one, so nobody can be given a session that somebody else knows.
import type { Context } from '../context.js';
import { unauthorized, type Identity } from './api-keys.js';
import { lifetimes } from './tokens.js';

type Store = Pick<Context, 'db' | 'clock' | 'ids'>;

/** Opens one for somebody who has just signed in. Answers its id; that of `before`, of the same browser, counts no more. */
export async function openSession(
  { db, clock, ids }: Store,
  { id: key }: Identity,
  before: string | undefined,
): Promise<string> {
  const now = clock.now();
  // Those that are over go here: there are only as many as people sign in.
  await db
    .deleteFrom('browser_sessions')
    .where((is) => is.or([is('until', '<=', now), is('id', '=', before ?? '')]))
    .execute();
  const id = ids.next();
  const until = now + lifetimes.session * 1000;
  await db.insertInto('browser_sessions').values({ id, key_id: key, until }).execute();
  return id;
}

/** Throws UNAUTHORIZED for one that was ended. */
export async function assertOpen({ db, clock }: Omit<Store, 'ids'>, id: string): Promise<void> {
  const row = await db.selectFrom('browser_sessions').select('until').where('id', '=', id).executeTakeFirst();
  if (row === undefined || row.until <= clock.now()) throw unauthorized();
}

export async function endSession({ db }: Pick<Store, 'db'>, id: string): Promise<void> {
  await db.deleteFrom('browser_sessions').where('id', '=', id).execute();
}
