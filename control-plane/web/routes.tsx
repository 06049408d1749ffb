// The pages: who may see them, what they show, what their forms do.
import { Hono, type Context as HttpContext } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Child } from 'hono/jsx';
import { PoolwrightError } from '../../protocol/errors.js';
import { checkApiKey, identityOfKey, unauthorized } from '../access/api-keys.js';
import { acting, actorOf } from '../access/audit.js';
import { rightsOf, type Rights } from '../access/rights.js';
import { poolFor, stackFor } from '../access/things.js';
import type { Context } from '../context.js';
import { countOpenAlarms } from '../pools/alarms.js';
import { readBody, type ServerEnvironment } from '../http/body.js';
import type { AppDependencies } from '../http/app.js';
import { statusOf } from '../http/errors.js';
import { getRun } from '../runs/runs.js';
import type { openAssets } from './assets.js';
import { Page } from './layout.js';
import { liveView } from './live.js';
import { oidcRoutes } from './oidc.js';
import { MessagePage, SignInPage } from './pages/sign-in.js';
import { assertMayChange, assertOwnForm, signedIn, signIn, signOut } from './session.js';
import { accessViews } from './views/access.js';
import { poolViews } from './views/pools.js';
import { runViews } from './views/runs.js';
import { stackViews } from './views/stacks.js';
import { watchViews } from './views/watch.js';
import type { PageHead, ViewParts, WebContext, WebEnvironment } from './views/view.js';

/** Bytes of what somebody sends who is not signed in. */
const largestForm = 16 * 1024;

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** A view of one thing is for those who see it, also when it only tells that something has changed. */
async function assertSees(context: Context, rights: Rights, view: string): Promise<void> {
  const [kind, id = ''] = view.split('/');
  if (kind === 'pool') await poolFor(context, rights, id, 'read');
  if (kind === 'stack') await stackFor(context, rights, id, 'read');
  if (kind === 'run') await stackFor(context, rights, (await getRun(context, id)).stack_id, 'read');
}

export function webRoutes(
  dependencies: AppDependencies & {
    readonly addressOf: (c: Pick<HttpContext<ServerEnvironment>, 'req' | 'env'>) => string;
  },
  assets: Awaited<ReturnType<typeof openAssets>>,
): Hono<WebEnvironment> {
  const { context, links, logs, oidc } = dependencies;
  const asset = assets.url;
  const app = new Hono<WebEnvironment>();

  const show = async (c: WebContext, page: PageHead, content: Child, status: ContentfulStatusCode = 200) => {
    const who = {
      identity: c.get('identity'),
      alarms: await countOpenAlarms(context, c.get('rights').spaces),
    };
    return c.html(
      <Page {...page} {...who} asset={asset} path={c.req.path}>
        {content}
      </Page>,
      status,
    );
  };
  const stillSees = async (c: WebContext, view: string): Promise<boolean> => {
    if ((await signedIn(c, dependencies)) === undefined) return false;
    try {
      await assertSees(context, c.get('rights'), view);
      return true;
    } catch (error) {
      if (error instanceof PoolwrightError) return false;
      throw error;
    }
  };

  const plain = (c: HttpContext, title: string, content: Child, status: ContentfulStatusCode) =>
    c.html(
      <Page title={title} asset={asset}>
        {content}
      </Page>,
      status,
    );

  app.onError((error, c) => {
    if (!(error instanceof PoolwrightError)) {
      context.log.error({ err: error, method: c.req.method, path: c.req.path }, 'a page failed');
      const title = 'This did not work';
      const text =
        'The control plane could not answer; its log says why. Nothing was changed half-way. Try again.';
      return plain(c, title, <MessagePage title={title} text={text} />, 500);
    }
    if (error.code === 'UNAUTHORIZED') return c.redirect('/sign-in', 303);
    const status = statusOf(error.code);
    if (status === 429) c.header('Retry-After', '1');
    const title = status === 404 ? 'Not there' : status === 403 ? 'Not allowed' : 'Not done';
    // What a form could not do is explained where it was sent from.
    const back = c.req.method === 'POST' ? c.req.path.slice(0, c.req.path.lastIndexOf('/')) : undefined;
    const message = <MessagePage title={title} text={error.message} back={back} />;
    return !Object.hasOwn(c.var, 'rights')
      ? plain(c, title, message, status)
      : show(c, { title }, message, status);
  });

  app.use(async (c, next) => {
    await next();
    c.header('Content-Security-Policy', policy);
    c.header('Referrer-Policy', 'no-referrer');
    if (c.res.headers.get('cache-control') === null) c.header('Cache-Control', 'no-store');
  });
  app.route('/', assets.routes);

  app.get('/sign-in', (c) =>
    plain(c, 'Sign in', <SignInPage code={c.req.query('code')} provider={oidc?.label} />, 200),
  );
  app.post('/sign-in', async (c) => {
    dependencies.limits.address(dependencies.addressOf(c));
    assertOwnForm(c);
    const form = new URLSearchParams((await readBody(c, largestForm)).toString());
    const text = (name: string) => form.get(name) ?? '';
    const byLink = text('code') !== '';
    try {
      const keyId = byLink ? await links.redeem(text('code')) : undefined;
      if (byLink && keyId === undefined) throw unauthorized();
      const identity =
        keyId === undefined
          ? await checkApiKey(context, text('id'), text('secret'))
          : await identityOfKey(context, keyId);
      await signIn(c, dependencies, identity);
      return c.redirect('/pools', 303);
    } catch (error) {
      if (!(error instanceof PoolwrightError) || error.code !== 'UNAUTHORIZED') throw error;
      const fault = byLink
        ? 'This link was used already or is too old. Sign in with an API key, or start again to get a new link.'
        : 'There is no such API key, or its secret is another one.';
      return plain(c, 'Sign in', <SignInPage fault={fault} provider={oidc?.label} />, 401);
    }
  });
  if (oidc !== undefined) app.route('/', oidcRoutes({ ...dependencies, oidc, plain }));
  app.post('/sign-out', async (c) => {
    dependencies.limits.address(dependencies.addressOf(c));
    assertOwnForm(c);
    await signOut(c, dependencies);
    return c.redirect('/sign-in', 303);
  });

  // Everything below is for those who are signed in; what changes something, for those who may.
  const guarded = new Hono<WebEnvironment>();
  guarded.use(async (c, next) => {
    const identity = await signedIn(c, dependencies);
    if (identity === undefined) throw unauthorized();
    // A page that follows something asks once for its stream, and again at most a few times a second (live.ts).
    dependencies.limits.key(identity.id);
    c.set('identity', identity);
    c.set('rights', await rightsOf(context, identity));
    // Of whoever is signed in: what is changed with it is on record.
    c.set('own', acting(context, actorOf(identity, dependencies.addressOf(c))));
    if (c.req.method === 'POST') {
      assertOwnForm(c);
      assertMayChange(identity);
    }
    await next();
  });
  const parts: ViewParts = { context, logs, show, stillSees };
  guarded.get('/', (c) => c.redirect('/pools', 303));
  guarded.route('/', poolViews(parts));
  guarded.route('/', stackViews(parts));
  guarded.route('/', runViews(parts));
  guarded.route('/', watchViews(parts));
  guarded.route('/', accessViews(parts));
  guarded.get('/live', async (c) => {
    const view = c.req.query('view') ?? '';
    await assertSees(context, c.get('rights'), view);
    return liveView(c, context, view, () => stillSees(c, view));
  });
  guarded.get('*', (c) => {
    throw new PoolwrightError('NOT_FOUND', `There is nothing at ${c.req.path}.`);
  });
  app.route('/', guarded);
  return app;
}
