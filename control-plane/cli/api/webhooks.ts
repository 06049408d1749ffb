// Webhooks of a stack, as the API gives them. A secret comes once, in the answer that makes it.
import { z } from 'zod';
import { gitProviders, type GitProvider } from '../../webhooks/told.js';
import type { ApiClient } from './client.js';
import { noSuchStack } from './stacks.js';

const webhookSchema = z.object({
  id: z.string(),
  provider: z.string().toLowerCase().pipe(z.enum(gitProviders)),
  url: z.string(),
  createdAt: z.int(),
  lastDeliveryAt: z.int().nullable(),
  lastOutcome: z.string().nullable(),
});
export type Webhook = z.infer<typeof webhookSchema>;

const fields = 'id provider url createdAt lastDeliveryAt lastOutcome';

export async function listWebhooks(client: ApiClient, stackId: string): Promise<Webhook[]> {
  const { stack } = await client.request(
    `query ($id: ID!) { stack(id: $id) { webhooks { ${fields} } } }`,
    { id: stackId },
    z.object({ stack: z.object({ webhooks: z.array(webhookSchema) }).nullable() }),
  );
  if (stack === null) throw noSuchStack(stackId);
  return stack.webhooks;
}

export async function createWebhook(
  client: ApiClient,
  stack: string,
  provider: GitProvider,
): Promise<Webhook & { readonly secret: string }> {
  const { stackWebhookCreate } = await client.request(
    `mutation ($stack: ID!, $provider: GitProvider!) { stackWebhookCreate(stack: $stack, provider: $provider) { ${fields} secret } }`,
    { stack, provider: provider.toUpperCase() },
    z.object({ stackWebhookCreate: webhookSchema.extend({ secret: z.string() }) }),
  );
  return stackWebhookCreate;
}

export async function deleteWebhook(client: ApiClient, stack: string, id: string): Promise<void> {
  await client.request(
    'mutation ($stack: ID!, $id: ID!) { stackWebhookDelete(stack: $stack, id: $id) { id } }',
    { stack, id },
    z.object({ stackWebhookDelete: z.object({ id: z.string() }).nullable() }),
  );
}
