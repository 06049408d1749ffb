// Who looks at a page: a cookie that only the server reads, and a check that a form was sent by one of our pages.
import type { Context as HttpContext } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { PoolwrightError } from '../../protocol/errors.js';
import { identityOf, type Identity } from '../access/api-keys.js';
import { assertOpen, endSession, openSession } from '../access/sessions.js';
import { lifetimes, type Session, type Tokens } from '../access/tokens.js';
import type { Context } from '../context.js';

/** With the prefix, browsers take it from this host alone and over TLS only: no neighbour can give somebody his session. */
function nameFor({ publicUrl }: Pick<SessionDependencies, 'publicUrl'>): string {
  return publicUrl().startsWith('https:') ? '__Host-poolwright' : 'poolwright';
}

export interface SessionDependencies {
  readonly context: Context;
  readonly tokens: Tokens;
  readonly publicUrl: () => string;
}

/** Undefined when nobody is signed in, or no longer. */
export async function signedIn(
  c: HttpContext,
  dependencies: SessionDependencies,
): Promise<Identity | undefined> {
  return unlessUnauthorized(async () => {
    const session = await sessionOf(c, dependencies);
    if (session === undefined) return undefined;
    await assertOpen(dependencies.context, session.id ?? '');
    return identityOf(dependencies.context, session);
  });
}

/** What the cookie says, whether it was ended or not. Throws UNAUTHORIZED for a cookie that is not ours, or too old. */
async function sessionOf(c: HttpContext, dependencies: SessionDependencies): Promise<Session | undefined> {
  const cookie = getCookie(c, nameFor(dependencies));
  return cookie === undefined ? undefined : dependencies.tokens.checkUser('session', cookie);
}

async function unlessUnauthorized<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof PoolwrightError && error.code === 'UNAUTHORIZED') return undefined;
    throw error;
  }
}

/** A new session, whatever cookie the browser came with; the session of that one ends. */
export async function signIn(c: HttpContext, deps: SessionDependencies, identity: Identity): Promise<void> {
  const before = await unlessUnauthorized(() => sessionOf(c, deps));
  const id = await openSession(deps.context, identity, before?.id);
  const { token } = await deps.tokens.issueUser('session', { key: identity.id, since: identity.since, id });
  setCookie(c, nameFor(deps), token, {
    httpOnly: true,
    sameSite: 'Strict',
    secure: deps.publicUrl().startsWith('https:'),
    path: '/',
    maxAge: lifetimes.session,
  });
}

/** Here and for every copy of the cookie. */
export async function signOut(c: HttpContext, dependencies: SessionDependencies): Promise<void> {
  const session = await unlessUnauthorized(() => sessionOf(c, dependencies));
  if (session?.id !== undefined) await endSession(dependencies.context, session.id);
  const secure = dependencies.publicUrl().startsWith('https:');
  deleteCookie(c, nameFor(dependencies), { path: '/', secure });
}

/** The cookie is not sent with other sites' forms; this also refuses those of other ports of this machine. */
export function assertOwnForm(c: HttpContext): void {
  if (isOwn(c)) return;
  throw new PoolwrightError('FORBIDDEN', 'The form was sent by a page of another site, so nothing was done.');
}

function isOwn(c: HttpContext): boolean {
  // Every browser of today says where a form comes from, also when a proxy in front has another name than we know.
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const origin = c.req.header('origin');
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === c.req.header('host'));
}

/** Throws FORBIDDEN for a key that may only read. */
export function assertMayChange(identity: Identity): void {
  if (mayChange(identity)) return;
  throw new PoolwrightError('FORBIDDEN', `The API key ${identity.name} may read only.`);
}

export function mayChange({ role }: Identity): boolean {
  return role !== 'reader';
}
