// Signing in by OpenID Connect: to the provider, and back from it.
import { Hono, type Context as HttpContext } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Child } from 'hono/jsx';
import { PoolwrightError } from '../../protocol/errors.js';
import { patience, type OidcClient } from '../access/oidc/client.js';
import { enter } from '../access/people.js';
import type { RateLimits } from '../access/rate-limits.js';
import type { ServerEnvironment } from '../http/body.js';
import { statusOf } from '../http/errors.js';
import { MessagePage, SignInPage } from './pages/sign-in.js';
import { signIn, type SessionDependencies } from './session.js';

/** Where the provider sends browsers back to; it has to know the address beforehand. */
export const callbackPath = '/sign-in/oidc/callback';
const ticketName = 'poolwright-oidc';

export interface OidcRoutesDependencies extends SessionDependencies {
  readonly oidc: OidcClient;
  readonly limits: RateLimits;
  readonly addressOf: (c: Pick<HttpContext<ServerEnvironment>, 'req' | 'env'>) => string;
  /** A page for somebody who is not signed in. */
  readonly plain: (
    c: HttpContext,
    title: string,
    content: Child,
    status: ContentfulStatusCode,
  ) => Response | Promise<Response>;
}

export function oidcRoutes(dependencies: OidcRoutesDependencies): Hono<ServerEnvironment> {
  const { context, oidc, limits, addressOf, plain, publicUrl } = dependencies;
  const app = new Hono<ServerEnvironment>();

  const refuse = (c: HttpContext, error: unknown) => {
    if (!(error instanceof PoolwrightError)) throw error;
    const { code, message, cause } = error;
    context.log.warn({ code, err: cause }, 'a sign-in by OpenID Connect failed');
    const page = <SignInPage fault={message} provider={oidc.label} />;
    return plain(c, 'Sign in', page, statusOf(code));
  };

  app.get('/sign-in/oidc', async (c) => {
    limits.address(addressOf(c));
    try {
      const { url, ticket } = await oidc.begin(`${publicUrl()}${callbackPath}`);
      setCookie(c, ticketName, ticket, {
        httpOnly: true,
        // Has to come along when the provider sends the browser back.
        sameSite: 'Lax',
        secure: publicUrl().startsWith('https:'),
        path: callbackPath,
        maxAge: patience / 1000,
      });
      return c.redirect(url.href, 303);
    } catch (error) {
      return refuse(c, error);
    }
  });

  app.get(callbackPath, async (c) => {
    limits.address(addressOf(c));
    const ticket = getCookie(c, ticketName);
    deleteCookie(c, ticketName, { path: callbackPath });
    try {
      const at = new URL(`${publicUrl()}${callbackPath}${new URL(c.req.url).search}`);
      const person = await oidc.complete(at, ticket);
      await signIn(c, dependencies, await enter(context, person, addressOf(c)));
    } catch (error) {
      return refuse(c, error);
    }
    // A page of ours and no redirect: the cookie is for requests that our own pages make.
    c.header('Refresh', '0; url=/pools');
    const message = <MessagePage title="Signed in" text="You are signed in." />;
    return plain(c, 'Signed in', message, 200);
  });
  return app;
}
