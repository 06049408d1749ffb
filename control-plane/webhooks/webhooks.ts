// The webhooks of a stack: made, removed and looked at here. What is delivered to them is in deliver.ts.
import { PoolwrightError } from '../../protocol/errors.js';
import { auditOfStack } from '../access/audit.js';
import { hashSecret, randomSecret, sameSecret } from '../access/secrets.js';
import type { Vault } from '../access/vault.js';
import type { Context } from '../context.js';
import { lockStack } from '../runs/holds.js';
import { stackNotFound } from '../stacks/stacks.js';
import type { WebhookRow } from '../store/webhook-tables.js';
import { bitbucket } from './bitbucket.js';
import { generic } from './generic.js';
import { gitHub } from './github.js';
import { gitLab } from './gitlab.js';
import { isSigned } from './payload.js';
import type { Delivery, GitProvider, Speaker } from './told.js';

export const speakers: Readonly<Record<GitProvider, Speaker>> = {
  github: gitHub,
  gitlab: gitLab,
  bitbucket,
  generic,
};

/** Webhooks of one stack. */
export const mostWebhooks = 20;

/**
 * Makes a webhook. Its secret is known only at this moment: what comes as it is (GitLab) is stored as a hash, what
 * signatures are made with is sealed. Throws NOT_FOUND; CONFLICT when the stack has as many as it may have.
 */
export async function createWebhook(
  context: Context,
  vault: Vault,
  { stack, provider }: { readonly stack: string; readonly provider: GitProvider },
): Promise<{ readonly row: WebhookRow; readonly secret: string }> {
  const id = context.ids.next();
  const secret = randomSecret();
  const stored =
    speakers[provider].proof.kind === 'token'
      ? { secret_hash: hashSecret(secret), secret_sealed: null }
      : { secret_hash: null, secret_sealed: vault.seal(sealContext(id), secret) };
  const row = await context.db.transaction().execute(async (tx) => {
    if ((await lockStack(tx, stack)) === undefined) throw stackNotFound(stack);
    const others = await tx.selectFrom('webhooks').select('id').where('stack_id', '=', stack).execute();
    if (others.length >= mostWebhooks) {
      throw new PoolwrightError(
        'CONFLICT',
        `The stack ${stack} has ${String(mostWebhooks)} webhooks already. Delete one that is not used any more.`,
      );
    }
    const made = await tx
      .insertInto('webhooks')
      .values({
        id,
        stack_id: stack,
        provider,
        ...stored,
        created_at: context.clock.now(),
        created_by: context.actor?.name ?? null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await auditOfStack(tx, context, stack, {
      ...about(stack, 'add'),
      before: null,
      after: { webhook: id, provider },
    });
    return made;
  });
  context.events.emit({ kind: 'stack', stack });
  return { row, secret };
}

/** Nothing that is sent to it counts any more. Throws NOT_FOUND. */
export async function deleteWebhook(context: Context, stack: string, id: string): Promise<WebhookRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    const gone = await tx
      .deleteFrom('webhooks')
      .where('id', '=', id)
      .where('stack_id', '=', stack)
      .returningAll()
      .executeTakeFirst();
    if (gone === undefined)
      throw new PoolwrightError('NOT_FOUND', `The stack ${stack} has no webhook ${id}.`);
    const before = { webhook: id, provider: gone.provider };
    await auditOfStack(tx, context, stack, { ...about(stack, 'remove'), before, after: null });
    return gone;
  });
  context.events.emit({ kind: 'stack', stack });
  return row;
}

function about(stack: string, verb: 'add' | 'remove') {
  return { action: `stack.webhook-${verb}`, type: 'stack', id: stack } as const;
}

function sealContext(id: string): string {
  return `webhook ${id}`;
}

/** Oldest first. */
export function listWebhooks(context: Pick<Context, 'db'>, stack: string): Promise<WebhookRow[]> {
  return context.db.selectFrom('webhooks').selectAll().where('stack_id', '=', stack).orderBy('id').execute();
}

export function findWebhook(context: Pick<Context, 'db'>, id: string): Promise<WebhookRow | undefined> {
  return context.db.selectFrom('webhooks').selectAll().where('id', '=', id).executeTakeFirst();
}

/**
 * Whether a delivery was sent by whoever has the webhook's secret. Takes the same time wherever it differs. Throws
 * SEALED_DAMAGED.
 */
export function isGenuine(vault: Vault, webhook: WebhookRow, delivery: Delivery): boolean {
  const { header } = speakers[webhook.provider].proof;
  const { secret_hash: hash, secret_sealed: sealed } = webhook;
  if (hash !== null) return sameSecret(hashSecret(delivery.header(header) ?? ''), hash);
  return sealed !== null && isSigned(delivery, header, vault.open(sealContext(webhook.id), sealed));
}
