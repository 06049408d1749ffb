// All routes of the one listener, and what holds for every answer.
import { Hono, type Context as HttpContext } from 'hono';
import { graphqlRoutes } from '../api/graphql.js';
import type { OidcClient } from '../access/oidc/client.js';
import type { RateLimits } from '../access/rate-limits.js';
import type { SignInLinks } from '../access/sign-in-links.js';
import type { Tokens } from '../access/tokens.js';
import type { Context } from '../context.js';
import type { Vault } from '../access/vault.js';
import type { LogStore } from '../store/logs.js';
import type { ObjectStore } from '../store/objects.js';
import type { ServerEnvironment } from './body.js';
import { answerError } from './errors.js';
import { openAssets } from '../web/assets.js';
import { webRoutes } from '../web/routes.js';
import { healthRoutes, type HealthDependencies } from './health.js';
import { launcherReleaseRoutes } from './launcher-releases.js';
import { tracedRequests } from './traced-requests.js';
import { uploadRoutes } from './uploads.js';
import { webhookRoutes } from './webhooks.js';
import { workerApiRoutes } from './worker-api.js';

export interface AppDependencies extends HealthDependencies {
  readonly context: Context;
  readonly tokens: Tokens;
  readonly logs: LogStore;
  readonly objects: ObjectStore;
  readonly links: SignInLinks;
  readonly vault: Vault;
  /** Not given: nobody signs in by OpenID Connect. */
  readonly oidc?: OidcClient | undefined;
  readonly limits: RateLimits;
  /** Known once the process listens; without a slash at its end. */
  readonly publicUrl: () => string;
}

/** Throws ARTEFACT_MISSING when the web pages are not built. */
export async function createApp(dependencies: AppDependencies): Promise<Hono<ServerEnvironment>> {
  const { context } = dependencies;
  // Behind a proxy all connections are its own; it says at the end of the list whose they are.
  const addressOf = (c: Pick<HttpContext<ServerEnvironment>, 'req' | 'env'>) =>
    (dependencies.trustLoopback ? undefined : c.req.header('x-forwarded-for')?.split(',').at(-1)?.trim()) ??
    c.env.incoming.socket.remoteAddress ??
    'unknown';
  const app = new Hono<ServerEnvironment>();
  if (context.traces.on) app.use(tracedRequests(context.traces));
  app.onError((error, c) => answerError(c, error, context.log));
  app.notFound((c) => c.json({ code: 'NOT_FOUND', message: `There is nothing at ${c.req.path}.` }, 404));
  app.use(async (c, next) => {
    await next();
    c.header('X-Content-Type-Options', 'nosniff');
  });
  app.route('/', healthRoutes(dependencies));
  app.route('/', graphqlRoutes({ ...dependencies, addressOf }));
  app.route('/', uploadRoutes(dependencies));
  app.route('/', launcherReleaseRoutes(dependencies));
  app.route('/', workerApiRoutes(dependencies));
  app.route('/', webhookRoutes({ ...dependencies, addressOf }));
  app.route('/', webRoutes({ ...dependencies, addressOf }, await openAssets()));
  return app;
}
