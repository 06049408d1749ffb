// API keys: who may use the API.
import { faultsError, PoolwrightError, type Fault } from '../../protocol/errors.js';
import { ulidSchema } from '../../protocol/topics.js';
import type { Context, Tx } from '../context.js';
import type { ApiKeyRow } from '../store/schema.js';
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
  /** ULID, for whoever may ask twice for the same key. Default: a new one. */
  readonly id?: string;
  readonly name: string;
  readonly role: Role;
  readonly spaces: readonly string[];
  /** Unix milliseconds; null: it does not. */
  readonly expiresAt: number | null;
}

export type Store = Pick<Context, 'db' | 'clock' | 'ids' | 'actor'>;

/**
 * Makes a key. Its secret is stored as a hash. Throws INVALID_ARGUMENT, NOT_FOUND for a space, CONFLICT for an `id` that a
 * key has.
 */
export async function createApiKey(
  context: Store,
  fields: KeyFields,
): Promise<{ readonly row: ApiKeyRow; readonly secret: string }> {
  await check(context, fields);
  const key = { id: fields.id ?? context.ids.next(), secret: randomSecret() };
  const row = await context.db.transaction().execute(async (tx) => {
    const made = await tx
      .insertInto('api_keys')
      .values({
        ...newKeyRow(context, { ...fields, ...key }),
        spaces: JSON.stringify(fields.spaces),
        created_by: context.actor?.name ?? null,
        expires_at: fields.expiresAt,
      })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .returningAll()
      .executeTakeFirst();
    if (made === undefined) throw isMade(key.id);
    await audit(tx, context, { ...about(made), action: 'api-key.create', before: null, after: told(made) });
    return made;
  });
  return { row, secret: key.secret };
}

function isMade(id: string): PoolwrightError {
  return new PoolwrightError(
    'CONFLICT',
    `The API key ${id} is made already, and its secret was shown then. If nobody kept that, revoke the key and make another one.`,
  );
}

async function check(context: Store, { id, name, spaces, expiresAt }: KeyFields): Promise<void> {
  const faults: Fault[] = [];
  if (id !== undefined && !ulidSchema.safeParse(id).success)
    faults.push({ path: 'id', reason: 'expected a ULID' });
  if (name.trim() === '' || name.length > 255)
    faults.push({ path: 'name', reason: 'expected 1 to 255 characters' });
  if (spaces.length === 0) faults.push({ path: 'spaces', reason: 'expected at least one' });
  if (expiresAt !== null && expiresAt <= context.clock.now())
    faults.push({ path: 'expiresAt', reason: 'expected a time to come' });
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', 'The API key', faults);
  for (const space of spaces) await getSpace(context, space);
}

/** What a new key stands in the database with. */
export function newKeyRow(context: Pick<Context, 'clock'>, key: Pick<Identity, 'name' | 'role'> & ApiKey) {
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
    await assertAnotherAdministrator(tx, context, before);
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

async function assertAnotherAdministrator(tx: Tx, { clock }: Store, row: ApiKeyRow): Promise<void> {
  const all = await tx
    .selectFrom('api_keys')
    .selectAll()
    .where('role', '=', 'administrator')
    .orderBy('id')
    .forUpdate()
    .execute();
  if (!isLastAdministrator(row, all, clock.now())) return;
  throw new PoolwrightError(
    'CONFLICT',
    `The API key ${row.id} is the last of an administrator. Make another one before you revoke it.`,
  );
}

/** Whether nobody could administer any more without this key. `all`: keys of administrators, others may be among them. */
export function isLastAdministrator(row: ApiKeyRow, all: readonly ApiKeyRow[], now: number): boolean {
  // Who signs in elsewhere is an administrator for as long as that other place says so.
  const administers = ({ role, subject }: ApiKeyRow) => role === 'administrator' && subject === null;
  const counts = ({ revoked_at, expires_at }: ApiKeyRow) =>
    revoked_at === null && (expires_at ?? Infinity) > now;
  return administers(row) && !all.some((other) => other.id !== row.id && administers(other) && counts(other));
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
