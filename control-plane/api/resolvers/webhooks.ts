// Webhooks of stacks.
import type { StackRow } from '../../store/schema.js';
import type { WebhookRow } from '../../store/webhook-tables.js';
import type { GitProvider } from '../../webhooks/told.js';
import { createWebhook, deleteWebhook, listWebhooks } from '../../webhooks/webhooks.js';
import { seconds, secondsOrNull, stackFor, type ApiRequest } from '../request.js';

/** One whose secret is part of the answer, because it was just made. */
type WebhookNode = WebhookRow & { readonly secret?: string };

export const webhookResolvers = {
  Mutation: {
    stackWebhookCreate: async (
      _: unknown,
      { stack, provider }: { stack: string; provider: Uppercase<GitProvider> },
      request: ApiRequest,
    ): Promise<WebhookNode> => {
      await stackFor(request, stack, 'operate');
      const { row, secret } = await createWebhook(request.context, request.vault, {
        stack,
        provider: provider.toLowerCase() as GitProvider,
      });
      return { ...row, secret };
    },
    stackWebhookDelete: async (
      _: unknown,
      { stack, id }: { stack: string; id: string },
      request: ApiRequest,
    ) => {
      await stackFor(request, stack, 'operate');
      return deleteWebhook(request.context, stack, id);
    },
  },
  Stack: {
    webhooks: ({ id }: StackRow, _: unknown, { context }: ApiRequest) => listWebhooks(context, id),
  },
  StackWebhook: {
    provider: ({ provider }: WebhookNode) => provider.toUpperCase(),
    url: ({ id }: WebhookNode, _: unknown, { publicUrl }: ApiRequest) => `${publicUrl()}/webhooks/${id}`,
    secret: ({ secret }: WebhookNode) => secret ?? null,
    createdAt: ({ created_at }: WebhookNode) => seconds(created_at),
    createdBy: ({ created_by }: WebhookNode) => created_by,
    lastDeliveryAt: ({ last_delivery_at }: WebhookNode) => secondsOrNull(last_delivery_at),
    lastOutcome: ({ last_outcome }: WebhookNode) => last_outcome,
  },
};
