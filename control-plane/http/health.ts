// What watches the process: /healthz (it runs), /readyz (it can do its work), /metrics.
import { sql } from 'kysely';
import { Hono } from 'hono';
import { sameSecret } from '../access/secrets.js';
import { unauthorized } from '../access/api-keys.js';
import type { Context } from '../context.js';
import type { Metrics } from '../metrics/metrics.js';
import type { ServerEnvironment } from './body.js';

export interface HealthDependencies {
  readonly context: Context;
  readonly metrics: Metrics;
  /** What is not ready yet besides the database; empty when all is. */
  readonly missing: () => readonly string[];
  /** Who may read the metrics from elsewhere. */
  readonly metricsToken: string;
  /** Requests from this machine need no token. Not so behind a proxy, where all come from it. */
  readonly trustLoopback: boolean;
}

/** Milliseconds that the database may take to answer before it counts as not ready. */
const patience = 2000;

export function healthRoutes(dependencies: HealthDependencies): Hono<ServerEnvironment> {
  const { context, metrics, missing, metricsToken, trustLoopback } = dependencies;
  const app = new Hono<ServerEnvironment>();
  app.get('/healthz', (c) => c.text('ok'));
  app.get('/readyz', async (c) => {
    const faults = [
      ...missing(),
      ...((await databaseAnswers(context)) ? [] : ['the database does not answer']),
    ];
    return faults.length === 0 ? c.text('ready') : c.json({ code: 'UNAVAILABLE', missing: faults }, 503);
  });
  app.get('/metrics', async (c) => {
    const token = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    const near = trustLoopback && isLoopback(c.env.incoming.socket.remoteAddress ?? '');
    if (!near && !(token !== undefined && sameSecret(token, metricsToken))) throw unauthorized();
    return c.body(await metrics.text(), 200, { 'content-type': metrics.contentType });
  });
  return app;
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

async function databaseAnswers(context: Pick<Context, 'db' | 'log'>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, patience, false);
  });
  const answer = sql`select 1`.execute(context.db).then(
    () => true,
    (error: unknown) => {
      context.log.error({ err: error }, 'the database does not answer');
      return false;
    },
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
