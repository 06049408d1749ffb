// API keys: who may use the API.
import { z } from 'zod';
import { PoolwrightError } from '../../protocol/errors.js';
import { ulidSchema } from '../../protocol/topics.js';
import type { Context } from '../context.js';
import type { SecretStore } from '../store/secrets.js';
import { hashSecret, randomSecret, sameSecret } from './secrets.js';

export interface Identity {
  /** Id of the API key. */
  readonly id: string;
  readonly name: string;
  readonly role: 'administrator' | 'operator' | 'reader';
}

export interface ApiKey {
  readonly id: string;
  /** Known only at this moment. */
  readonly secret: string;
}

type Store = Pick<Context, 'db' | 'clock' | 'ids'>;

/** Makes a key. Its secret is stored as a hash. */
export async function createApiKey(
  context: Store,
  fields: Pick<Identity, 'name' | 'role'> & Partial<ApiKey>,
): Promise<ApiKey> {
  const key = { id: fields.id ?? context.ids.next(), secret: fields.secret ?? randomSecret() };
  await context.db
    .insertInto('api_keys')
    .values(rowOf(context, { ...fields, ...key }))
    .execute();
  return key;
}

function rowOf(context: Pick<Context, 'clock'>, key: Pick<Identity, 'name' | 'role'> & ApiKey) {
  return {
    id: key.id,
    name: key.name,
    role: key.role,
    secret_hash: hashSecret(key.secret),
    created_at: context.clock.now(),
    revoked_at: null,
  };
}

/** Throws UNAUTHORIZED for an unknown id, a wrong secret and a revoked key alike. */
export async function checkApiKey(
  context: Pick<Context, 'db'>,
  id: string,
  secret: string,
): Promise<Identity> {
  const row = await context.db.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst();
  // Compared also when there is no such key, so that the time of the answer does not tell.
  const matches = sameSecret(hashSecret(secret), row?.secret_hash ?? '');
  if (row === undefined || !matches || row.revoked_at !== null) throw unauthorized();
  return { id: row.id, name: row.name, role: row.role };
}

/** The identity behind a token that was issued earlier. Throws UNAUTHORIZED when the key is gone or revoked. */
export async function identityOf(context: Pick<Context, 'db'>, id: string): Promise<Identity> {
  const row = await context.db
    .selectFrom('api_keys')
    .select(['id', 'name', 'role'])
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  if (row === undefined) throw unauthorized();
  return row;
}

/** The message that existing clients look for. */
export function unauthorized(): PoolwrightError {
  return new PoolwrightError('UNAUTHORIZED', 'unauthorized');
}

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
    .values(rowOf(context, { name: 'administrator', role: 'administrator', ...key }))
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
