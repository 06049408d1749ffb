// The pages: who may see them, what they show, what their forms do.
import { Hono, type Context as HttpContext } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { stream } from 'hono/streaming';
import type { Child } from 'hono/jsx';
import { PoolwrightError } from '../../protocol/errors.js';
import { checkApiKey, identityOfKey, unauthorized, type Identity } from '../access/api-keys.js';
import { acting, actorOf } from '../access/audit.js';
import { rightsOf, type Right, type Rights } from '../access/rights.js';
import { poolFor, stackFor } from '../access/things.js';
import type { Context } from '../context.js';
import { readBody, type ServerEnvironment } from '../http/body.js';
import type { AppDependencies } from '../http/app.js';
import { statusOf } from '../http/errors.js';
import { cyclePool, getPool } from '../pools/pools.js';
import { setAllDrained, setDrained } from '../pools/workers.js';
import { cancelRun, confirmRun, discardRun, stopRun } from '../runs/decisions.js';
import { getRun, triggerRun } from '../runs/runs.js';
import { getStack } from '../stacks/stacks.js';
import { publicPoolId, type PoolRow, type RunRow } from '../store/schema.js';
import type { openAssets } from './assets.js';
import { Page } from './layout.js';
import { liveLog, liveView } from './live.js';
import { PoolFrame, UsedBy, type PoolTab } from './pages/pool.js';
import { PoolQueue } from './pages/pool-queue.js';
import { PoolWorkers } from './pages/pool-workers.js';
import { PoolsPage } from './pages/pools.js';
import { RunPage, type RunAction } from './pages/run.js';
import { MessagePage, SignInPage } from './pages/sign-in.js';
import { StackPage, StacksPage } from './pages/stacks.js';
import { assertMayChange, assertOwnForm, mayChange, signedIn, signIn, signOut } from './session.js';

interface WebEnvironment extends ServerEnvironment {
  Variables: { identity: Identity; rights: Rights; own: Context };
}

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

const decisions = { confirm: confirmRun, discard: discardRun, cancel: cancelRun, stop: stopRun } as const;

export function webRoutes(
  dependencies: AppDependencies & {
    readonly addressOf: (c: Pick<HttpContext<ServerEnvironment>, 'req' | 'env'>) => string;
  },
  assets: Awaited<ReturnType<typeof openAssets>>,
): Hono<WebEnvironment> {
  const { context, links, logs } = dependencies;
  const asset = assets.url;
  const app = new Hono<WebEnvironment>();

  const show = (
    c: HttpContext<WebEnvironment>,
    page: { title: string; live?: string; trail?: readonly (readonly [string, string])[] },
    content: Child,
  ) =>
    c.html(
      <Page {...page} asset={asset} identity={c.get('identity')}>
        {content}
      </Page>,
    );
  /** Asked while a page is followed: its key may be revoked meanwhile, or the thing moved out of sight. */
  const stillSees = async (c: HttpContext<WebEnvironment>, view: string): Promise<boolean> => {
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
    if (!(error instanceof PoolwrightError)) throw error;
    if (error.code === 'UNAUTHORIZED') return c.redirect('/sign-in', 303);
    const status = statusOf(error.code);
    const title = status === 404 ? 'Not there' : status === 403 ? 'Not allowed' : 'Not done';
    return plain(c, title, <MessagePage title={title}>{error.message}</MessagePage>, status);
  });

  app.use(async (c, next) => {
    await next();
    c.header('Content-Security-Policy', policy);
    c.header('Referrer-Policy', 'no-referrer');
    if (c.res.headers.get('cache-control') === null) c.header('Cache-Control', 'no-store');
  });
  app.route('/', assets.routes);

  app.get('/sign-in', (c) => plain(c, 'Sign in', <SignInPage code={c.req.query('code')} />, 200));
  app.post('/sign-in', async (c) => {
    dependencies.limits.address(dependencies.addressOf(c));
    assertOwnForm(c);
    const form = new URLSearchParams((await readBody(c, largestForm)).toString());
    const text = (name: string) => form.get(name) ?? '';
    const byLink = text('code') !== '';
    try {
      const keyId = byLink ? links.redeem(text('code')) : undefined;
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
      return plain(c, 'Sign in', <SignInPage fault={fault} />, 401);
    }
  });
  app.post('/sign-out', (c) => {
    assertOwnForm(c);
    signOut(c);
    return c.redirect('/sign-in', 303);
  });

  // Everything below is for those who are signed in; what changes something, for those who may.
  const guarded = new Hono<WebEnvironment>();
  guarded.use(async (c, next) => {
    const identity = await signedIn(c, dependencies);
    if (identity === undefined) throw unauthorized();
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
  const stackOf = (c: HttpContext<WebEnvironment>, right: Right) =>
    stackFor(context, c.get('rights'), c.req.param('stack') ?? '', right);
  const poolOf = (c: HttpContext<WebEnvironment>, right: Right) =>
    poolFor(context, c.get('rights'), c.req.param('pool') ?? '', right);
  const runOf = async (c: HttpContext<WebEnvironment>): Promise<RunRow> => {
    await stackOf(c, 'read');
    const run = await getRun(context, c.req.param('run') ?? '');
    if (run.stack_id === c.req.param('stack')) return run;
    throw new PoolwrightError('NOT_FOUND', `The stack ${c.req.param('stack') ?? ''} has no run ${run.id}.`);
  };

  guarded.get('/', (c) => c.redirect('/pools', 303));
  guarded.get('/pools', (c) =>
    show(
      c,
      { title: 'Worker pools', live: 'pools' },
      <PoolsPage context={context} rights={c.get('rights')} />,
    ),
  );
  const showPool = (c: HttpContext<WebEnvironment>, pool: PoolRow, tab: PoolTab, content: Child) =>
    show(
      c,
      {
        title: pool.public ? 'Public worker pool' : pool.name,
        // Who may look at the public pool may not follow what its workers do.
        live: pool.public ? 'pools' : `pool/${pool.id}`,
        trail: [['Pools', '/pools']],
      },
      <PoolFrame context={context} pool={pool} tab={tab}>
        {content}
      </PoolFrame>,
    );
  const showQueue = (c: HttpContext<WebEnvironment>, pool: PoolRow) => {
    const { text = '', type = '', after = '' } = c.req.query();
    const rights = c.get('rights');
    const filter = { text, type, after };
    return showPool(
      c,
      pool,
      'queued',
      <PoolQueue context={context} pool={pool} rights={rights} filter={filter} />,
    );
  };
  const showUsers = (c: HttpContext<WebEnvironment>, pool: PoolRow) =>
    showPool(c, pool, 'used-by', <UsedBy context={context} pool={pool} rights={c.get('rights')} />);
  guarded.get('/pools/public', async (c) => showQueue(c, await getPool(context, publicPoolId)));
  guarded.get('/pools/public/used-by', async (c) => showUsers(c, await getPool(context, publicPoolId)));
  guarded.get(`/pools/${publicPoolId}/:tab?`, (c) => c.redirect('/pools/public', 303));
  guarded.get('/pools/:pool', async (c) => {
    const pool = await poolOf(c, 'read');
    const rights = c.get('rights');
    const may = mayChange(c.get('identity'));
    return showPool(
      c,
      pool,
      'workers',
      <PoolWorkers context={context} pool={pool} rights={rights} mayChange={may} />,
    );
  });
  guarded.get('/pools/:pool/queued', async (c) => showQueue(c, await poolOf(c, 'read')));
  guarded.get('/pools/:pool/used-by', async (c) => showUsers(c, await poolOf(c, 'read')));
  guarded.post('/pools/:pool/:order{drain|undrain}', async (c) => {
    const { id } = await poolOf(c, 'operate');
    await setAllDrained(c.get('own'), id, c.req.param('order') === 'drain');
    return c.redirect(`/pools/${id}`, 303);
  });
  guarded.post('/pools/:pool/cycle', async (c) => {
    const { id } = await poolOf(c, 'operate');
    await cyclePool(c.get('own'), id);
    return c.redirect(`/pools/${id}`, 303);
  });
  guarded.post('/pools/:pool/workers/:worker/:order{drain|undrain}', async (c) => {
    const { pool, worker, order } = c.req.param();
    await poolOf(c, 'operate');
    await setDrained(c.get('own'), pool, worker, order === 'drain');
    return c.redirect(`/pools/${pool}`, 303);
  });
  guarded.get('/stacks', (c) =>
    show(c, { title: 'Stacks', live: 'stacks' }, <StacksPage context={context} rights={c.get('rights')} />),
  );
  guarded.get('/stacks/:stack', async (c) => {
    const stack = await stackOf(c, 'read');
    return show(
      c,
      { title: stack.name, live: `stack/${stack.id}`, trail: [['Stacks', '/stacks']] },
      <StackPage context={context} stack={stack} mayChange={mayChange(c.get('identity'))} />,
    );
  });
  guarded.post('/stacks/:stack/trigger', async (c) => {
    const requestedBy = c.get('identity').name;
    const { id } = await stackOf(c, 'operate');
    const run = await triggerRun(c.get('own'), { stack: id, type: 'TRACKED', requestedBy });
    return c.redirect(`/stacks/${run.stack_id}/runs/${run.id}`, 303);
  });
  guarded.get('/stacks/:stack/runs/:run', async (c) => {
    const run = await runOf(c);
    const stack = await getStack(context, run.stack_id);
    const trail = [['Stacks', '/stacks'] as const, [stack.name, `/stacks/${stack.id}`] as const];
    return show(
      c,
      { title: `${run.title}, ${stack.name}`, live: `run/${run.id}`, trail },
      <RunPage
        context={context}
        run={run}
        stack={stack}
        rights={c.get('rights')}
        mayChange={mayChange(c.get('identity'))}
      />,
    );
  });
  guarded.post('/stacks/:stack/runs/:run/:action{confirm|discard|cancel|stop}', async (c) => {
    const { stack, run } = c.req.param();
    const action = c.req.param('action') as RunAction;
    await stackOf(c, 'operate');
    await decisions[action](c.get('own'), { stack, run, username: c.get('identity').name });
    return c.redirect(`/stacks/${stack}/runs/${run}`, 303);
  });
  guarded.get('/stacks/:stack/runs/:run/log', async (c) => {
    const { id } = await runOf(c);
    return liveLog(c, context, logs, id, () => stillSees(c, `run/${id}`));
  });
  guarded.get('/stacks/:stack/runs/:run/log.txt', async (c) => {
    const run = await runOf(c);
    c.header('content-type', 'text/plain; charset=utf-8');
    return stream(c, async (out) => {
      for await (const { record } of logs.read(run.id)) if (record.k === 'log') await out.write(record.m);
    });
  });
  guarded.get('/live', async (c) => {
    const view = c.req.query('view') ?? '';
    await assertSees(context, c.get('rights'), view);
    return liveView(c, context, view, () => stillSees(c, view));
  });
  app.route('/', guarded);
  return app;
}
