// poolwright stack webhook …: where Git servers tell of pushes to a stack's repository.
import { Option, type Command } from 'commander';
import { z } from 'zod';
import { gitProviders } from '../../webhooks/told.js';
import { createWebhook, deleteWebhook, listWebhooks } from '../api/webhooks.js';
import { actWithApi, withExample } from '../invocation.js';
import type { Terminal } from '../terminal.js';
import { ago } from '../times.js';

/** Adds the `stack webhook` commands. */
export function addWebhookCommands(stack: Command, terminal: Terminal): void {
  const webhook = stack.command('webhook').description('Webhooks by which pushes start runs of a stack');

  const add = webhook.command('add').description('Make a webhook; its secret is shown this once');
  add.argument('<stack>', 'id of the stack');
  add.addOption(
    new Option('--provider <name>', 'whose deliveries it takes').choices(gitProviders).makeOptionMandatory(),
  );
  actWithApi(add, terminal, { provider: z.enum(gitProviders) }, async ({ client, output, args, options }) => {
    const made = await createWebhook(client, args[0] ?? '', options.provider);
    output.answer(made, () =>
      output.fields([
        ['url', made.url],
        ['secret', made.secret],
        ['id', made.id],
      ]),
    );
  });
  withExample(add, 'poolwright stack webhook add website --provider github');

  const list = webhook
    .command('list')
    .description('List the webhooks, and what their last deliveries led to');
  list.argument('<stack>', 'id of the stack');
  actWithApi(list, terminal, {}, async ({ client, output, args }) => {
    const webhooks = await listWebhooks(client, args[0] ?? '');
    output.answer(webhooks, () =>
      output.table(
        ['ID', 'PROVIDER', 'LAST', 'OUTCOME'],
        webhooks.map(({ id, provider, lastDeliveryAt, lastOutcome }) => [
          id,
          provider,
          lastDeliveryAt === null ? 'never' : ago(lastDeliveryAt, Date.now()),
          lastOutcome ?? '',
        ]),
      ),
    );
  });
  withExample(list, 'poolwright stack webhook list website');

  const remove = webhook.command('remove').description('Remove a webhook: what is sent to it counts no more');
  remove.argument('<stack>', 'id of the stack').argument('<webhook>', 'id of the webhook');
  actWithApi(remove, terminal, {}, async ({ client, output, args }) => {
    const [stackId = '', id = ''] = args;
    await deleteWebhook(client, stackId, id);
    output.answer({ id, deleted: true }, () => [`The webhook ${id} is removed.`]);
  });
  withExample(remove, 'poolwright stack webhook remove website 01JZ0000000000000000000000');
}
