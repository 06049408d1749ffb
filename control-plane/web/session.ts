// Who looks at a page: a cookie that only the server reads, and a check that a form was sent by one of our pages.
import type { Context as HttpContext } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { PoolwrightError } from '../../protocol/errors.js';
import { identityOf, type Identity } from '../access/api-keys.js';
import { lifetimes, type Tokens } from '../access/tokens.js';
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
  const { context, tokens } = dependencies;
  const cookie = getCookie(c, nameFor(dependencies));
  if (cookie === undefined) return undefined;
  try {
    return await identityOf(context, await tokens.checkUser('session', cookie));
  } catch (error) {
    if (error instanceof PoolwrightError && error.code === 'UNAUTHORIZED') return undefined;
    throw error;
  }
}

export async function signIn(
  c: HttpContext,
  deps: SessionDependencies,
  { id, since }: Identity,
): Promise<void> {
  const { token } = await deps.tokens.issueUser('session', { key: id, since });
  setCookie(c, nameFor(deps), token, {
    httpOnly: true,
    sameSite: 'Strict',
    secure: deps.publicUrl().startsWith('https:'),
    path: '/',
    maxAge: lifetimes.session,
  });
}

export function signOut(c: HttpContext, dependencies: SessionDependencies): void {
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
