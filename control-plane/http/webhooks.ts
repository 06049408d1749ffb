// POST /webhooks/:id: where Git servers tell that something was pushed. docs/webhooks.md is for those who set them up.
import { Hono, type Context as HttpContext } from 'hono';
import { unauthorized } from '../access/api-keys.js';
import type { RateLimits } from '../access/rate-limits.js';
import type { Vault } from '../access/vault.js';
import type { Context } from '../context.js';
import { deliver } from '../webhooks/deliver.js';
import { findWebhook, isGenuine } from '../webhooks/webhooks.js';
import { readBody, type ServerEnvironment } from './body.js';

/** Bytes of a delivery: what GitHub sends at most, and it sends the longest. */
const largestDelivery = 25 * 1024 * 1024;

export function webhookRoutes(dependencies: {
  readonly context: Context;
  readonly vault: Vault;
  readonly limits: RateLimits;
  readonly addressOf: (c: Pick<HttpContext<ServerEnvironment>, 'req' | 'env'>) => string;
}): Hono<ServerEnvironment> {
  const { context, vault, limits, addressOf } = dependencies;
  const app = new Hono<ServerEnvironment>();
  app.post('/webhooks/:id', async (c) => {
    const address = addressOf(c);
    const refused = () => {
      limits.address(address);
      return unauthorized();
    };
    // Its id cannot be guessed: who does not know it does not get a long body read.
    const webhook = await findWebhook(context, c.req.param('id'));
    if (webhook === undefined) throw refused();
    const body = await readBody(c, largestDelivery);
    const delivery = { header: (name: string) => c.req.header(name), body };
    if (!isGenuine(vault, webhook, delivery)) throw refused();
    limits.webhook(webhook.id);
    return c.json(await deliver(context, webhook, delivery, address));
  });
  return app;
}
