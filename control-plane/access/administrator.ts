// The first API key, of an administrator, made at the first start.
import { z } from 'zod';
import { PoolwrightError } from '../../protocol/errors.js';
import { ulidSchema } from '../../protocol/topics.js';
import type { SecretStore } from '../store/secrets.js';
import { newKeyRow, type ApiKey, type Store } from './api-keys.js';
import { randomSecret } from './secrets.js';

const administratorSchema = z.object({ id: ulidSchema, secret: z.string().min(32) });

/**
 * The first key, made at the first start and kept among the secrets. `created` tells whether it was made just now.
 * A start that was killed half-way is completed by the next.
 */
export async function ensureAdministrator(
  context: Store,
  secrets: SecretStore,
): Promise<ApiKey & { readonly created: boolean }> {
  const made = { id: context.ids.next(), secret: randomSecret() };
  const key = parseAdministrator(
    await secrets.secret('administrator.json', () => `${JSON.stringify(made, null, 2)}\n`),
  );
  await context.db
    .insertInto('api_keys')
    .values(newKeyRow(context, { name: 'administrator', role: 'administrator', ...key }))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return { ...key, created: key.id === made.id };
}

function parseAdministrator(text: string): ApiKey {
  try {
    return administratorSchema.parse(JSON.parse(text));
  } catch {
    // The parser's message may quote the text, and with it the secret.
    throw new PoolwrightError(
      'DATA_DIR_UNUSABLE',
      "The secret administrator.json does not hold the administrator's key any more. Restore it, or remove it to have a new key made.",
    );
  }
}
