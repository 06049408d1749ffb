// API keys: who may use the API.
import { z } from 'zod';
import { faultsError, PoolwrightError, type Fault } from '../../protocol/errors.js';
import { ulidSchema } from '../../protocol/topics.js';
import type { Context, Tx } from '../context.js';
import type { ApiKeyRow } from '../store/schema.js';
import type { SecretStore } from '../store/secrets.js';
import { audit } from './audit.js';
import { getSpace } from './spaces.js';
import type { Session } from './tokens.js';
import { hashSecret, randomSecret, sameSecret } from './secrets.js';

export type Role = 'administrator' | 'operator' | 'reader';

export interface Identity {
  /** Id of the API key. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Where the role counts, with all spaces below; an administrator's counts everywhere. */
  readonly spaces: readonly string[];
  /** See `Session.since`. */
  readonly since: number;
}

export interface ApiKey {
  readonly id: string;
  /** Known only at this moment. */
  readonly secret: string;
}

export interface KeyFields {
  readonly name: string;
  readonly role: Role;
  readonly spaces: readonly string[];
  /** Unix milliseconds; null: it does not. */
  readonly expiresAt: number | null;
}

type Store = Pick<Context, 'db' | 'clock' | 'ids' | 'actor'>;

/** Makes a key. Its secret is stored as a hash. Throws INVALID_ARGUMENT, NOT_FOUND for a space. */
export async function createApiKey(
  context: Store,
  fields: KeyFields,
): Promise<{ readonly row: ApiKeyRow; readonly secret: string }> {
  await check(context, fields);
  const key = { id: context.ids.next(), secret: randomSecret() };
  const row = await context.db.transaction().execute(async (tx) => {
    const made = await tx
      .insertInto('api_keys')
      .values({
        ...rowOf(context, { ...fields, ...key }),
        spaces: JSON.stringify(fields.spaces),
        created_by: context.actor?.name ?? null,
        expires_at: fields.expiresAt,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await audit(tx, context, { ...about(made), action: 'api-key.create', before: null, after: told(made) });
    return made;
  });
  return { row, secret: key.secret };
}

async function check(context: Store, { name, spaces, expiresAt }: KeyFields): Promise<void> {
  const faults: Fault[] = [];
  if (name.trim() === '' || name.length > 255)
    faults.push({ path: 'name', reason: 'expected 1 to 255 characters' });
  if (spaces.length === 0) faults.push({ path: 'spaces', reason: 'expected at least one' });
  if (expiresAt !== null && expiresAt <= context.clock.now())
    faults.push({ path: 'expiresAt', reason: 'expected a time to come' });
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'The API key', faults);
  for (const space of spaces) await getSpace(context, space);
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

/** What an audit entry tells of a key: never its secret, nor the hash of it. */
function told({ name, role, spaces, expires_at, revoked_at }: ApiKeyRow): object {
  return { name, role, spaces, expiresAt: expires_at, revokedAt: revoked_at };
}

function about({ id }: ApiKeyRow) {
  return { type: 'api-key', id, space: null } as const;
}

/** Oldest first, revoked ones too. */
export function listApiKeys(context: Pick<Context, 'db'>): Promise<ApiKeyRow[]> {
  return context.db.selectFrom('api_keys').selectAll().orderBy('id').execute();
}

/** Ends the key and all its sessions. Saying it twice changes nothing. Throws NOT_FOUND; CONFLICT for the last administrator. */
export function revokeApiKey(context: Store, id: string): Promise<ApiKeyRow> {
  return changeKey(context, id, 'api-key.revoke', async (tx, before) => {
    if (before.revoked_at !== null) return {};
    if (before.role === 'administrator' && before.subject === null)
      await assertAnotherAdministrator(tx, context, id);
    return { revoked_at: context.clock.now() };
  });
}

/** Ends all sessions of a key, which may open new ones. Throws NOT_FOUND. */
export function endSessions(context: Store, id: string): Promise<ApiKeyRow> {
  return changeKey(context, id, 'api-key.end-sessions', (_tx, before) =>
    Promise.resolve({ sessions_from: Math.max(context.clock.now(), before.sessions_from + 1) }),
  );
}

async function changeKey(
  context: Store,
  id: string,
  action: string,
  change: (tx: Tx, before: ApiKeyRow) => Promise<Partial<Pick<ApiKeyRow, 'revoked_at' | 'sessions_from'>>>,
): Promise<ApiKeyRow> {
  return context.db.transaction().execute(async (tx) => {
    const before = await tx
      .selectFrom('api_keys')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (before === undefined) throw new PoolwrightError('NOT_FOUND', `There is no API key ${id}.`);
    const set = await change(tx, before);
    if (Object.keys(set).length === 0) return before;
    const row = await tx
      .updateTable('api_keys')
      .set(set)
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await audit(tx, context, { ...about(row), action, before: told(before), after: told(row) });
    return row;
  });
}

async function assertAnotherAdministrator(tx: Tx, { clock }: Store, id: string): Promise<void> {
  const others = await tx
    .selectFrom('api_keys')
    .select('id')
    .where('role', '=', 'administrator')
    .where('revoked_at', 'is', null)
    .where('id', '<>', id)
    // Who signs in elsewhere is an administrator for as long as that other place says so.
    .where('subject', 'is', null)
    .where((is) => is.or([is('expires_at', 'is', null), is('expires_at', '>', clock.now())]))
    .forUpdate()
    .execute();
  if (others.length > 0) return;
  throw new PoolwrightError(
    'CONFLICT',
    `The API key ${id} is the last of an administrator. Make another one before you revoke it.`,
  );
}

/** Throws UNAUTHORIZED for an unknown id, a wrong secret, and a key that is revoked or has expired alike. */
export async function checkApiKey(
  context: Pick<Context, 'db' | 'clock'>,
  id: string,
  secret: string,
): Promise<Identity> {
  const row = await context.db.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst();
  // Compared also when there is no such key, so that the time of the answer does not tell.
  const matches = sameSecret(hashSecret(secret), row?.secret_hash ?? '');
  if (row === undefined || !matches) throw unauthorized();
  return identityIfValid(context, row);
}

/** The identity behind a token that was issued earlier. Throws UNAUTHORIZED when key or session do not count any more. */
export async function identityOf(
  context: Pick<Context, 'db' | 'clock'>,
  session: Session,
): Promise<Identity> {
  const row = await context.db
    .selectFrom('api_keys')
    .selectAll()
    .where('id', '=', session.key)
    .executeTakeFirst();
  if (row === undefined || row.sessions_from !== session.since) throw unauthorized();
  return identityIfValid(context, row);
}

/** The identity of a key whose holder is known otherwise. Throws UNAUTHORIZED when it does not count any more. */
export async function identityOfKey(context: Pick<Context, 'db' | 'clock'>, id: string): Promise<Identity> {
  const row = await context.db.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw unauthorized();
  return identityIfValid(context, row);
}

function identityIfValid({ clock }: Pick<Context, 'clock'>, row: ApiKeyRow): Identity {
  const { id, name, role, spaces, sessions_from: since } = row;
  if (row.revoked_at !== null || (row.expires_at ?? Infinity) <= clock.now()) throw unauthorized();
  return { id, name, role, spaces, since };
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
