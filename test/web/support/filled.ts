// The pages over a database in which everything that they can show is there, and over one in which nothing is. No worker
// is behind it and no reconciler runs, so that what is shown stays as it is while it is looked at.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiKey, type Role } from '../../../control-plane/access/api-keys.js';
import { createRateLimits, type Rate } from '../../../control-plane/access/rate-limits.js';
import { createSignInLinks } from '../../../control-plane/access/sign-in-links.js';
import { createTokens } from '../../../control-plane/access/tokens.js';
import { createVault } from '../../../control-plane/access/vault.js';
import { acting } from '../../../control-plane/access/audit.js';
import type { Context } from '../../../control-plane/context.js';
import { createApp } from '../../../control-plane/http/app.js';
import { startHttpServer } from '../../../control-plane/http/server.js';
import { createMetrics } from '../../../control-plane/metrics/metrics.js';
import { createFileLogStore } from '../../../control-plane/store/logs.js';
import { createFileObjectStore } from '../../../control-plane/store/objects.js';
import { openRules } from '../../control-plane/support/rules.js';
import { fill, fullPages, type Pages } from './fill.js';

const nothing = Object.fromEntries(fullPages.map((name) => [name, ''])) as unknown as Pages;

export interface Views {
  readonly url: string;
  readonly context: Context;
  /** A code for `/sign-in?code=`, good once. */
  signInCode(keyId: string): Promise<string>;
  key(role: Role, name: string): Promise<{ readonly id: string; readonly secret: string }>;
  /** Addresses by what they show; nothing where nothing is there. */
  readonly pages: Pages;
  close(): Promise<void>;
}

/** `full`: with one of everything; not so: as it is on the first day. */
export async function openViews({
  full,
  perKey,
}: {
  readonly full: boolean;
  /** Default: as often as it likes. */
  readonly perKey?: Rate;
}): Promise<Views> {
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-views-'));
  const rules = await openRules();
  rules.now = Date.now();
  const logs = createFileLogStore(join(folder, 'logs'));
  const actor = { key: 'test', name: 'ada@acme.example', address: '192.0.2.7' };
  const context: Context = acting({ ...rules.context, logs }, actor);
  const often = { perSecond: 1000, burst: 1000 };
  const clock = { now: () => Date.now() };
  const links = createSignInLinks({ db: context.db, clock });
  const metrics = createMetrics(context);
  const vault = createVault('a secret of the test');
  const late = { port: 0 };
  const app = await createApp({
    context,
    tokens: createTokens('another secret of the test', clock),
    logs,
    objects: createFileObjectStore(join(folder, 'objects')),
    links,
    vault,
    metrics,
    limits: createRateLimits(clock, { key: perKey ?? often, webhook: often, address: often }),
    metricsToken: 'token',
    trustLoopback: true,
    missing: () => [],
    publicUrl: () => `http://127.0.0.1:${String(late.port)}`,
  });
  const server = await startHttpServer(app, { host: '127.0.0.1', port: 0 });
  late.port = server.port;
  return {
    url: `http://127.0.0.1:${String(server.port)}`,
    context,
    signInCode: (keyId) => links.create(keyId),
    async key(role, name) {
      const { row, secret } = await createApiKey(context, {
        ...{ name, role },
        spaces: ['root'],
        expiresAt: null,
      });
      return { id: row.id, secret };
    },
    pages: full ? await fill(context, logs, vault, Date.now()) : nothing,
    async close() {
      await server.close();
      metrics.close();
      await logs.close();
      await rules.close();
      await rm(folder, { recursive: true });
    },
  };
}
