// The control plane's own secrets in a database: sealed where there is a key, and brought to that from before.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { placesOf } from '../../../control-plane/cli/places.js';
import { createSecretBox } from '../../../control-plane/store/secret-box.js';
import { createDatabaseSecrets, type SecretStore } from '../../../control-plane/store/secrets.js';
import { temporaryFolder } from '../../support/temporary.js';
import { openRulesDatabase, type RulesDatabase } from '../support/rules-database.js';

const key = 'k'.repeat(44);
let database: RulesDatabase;
beforeAll(async () => {
  database = await openRulesDatabase();
}, 180_000);
afterAll(() => database.close());
beforeEach(() => database.db.deleteFrom('secrets').execute());

const withKey = (given: string | undefined, previous?: string): SecretStore =>
  createDatabaseSecrets(database.db, { now: () => 1 }, createSecretBox(given, previous));
const stored = async (name: string) =>
  (await database.db.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirstOrThrow())
    .value;
const never = () => {
  throw new Error('made a second time');
};

describe('with a key', () => {
  it('what is stored is sealed, and every process with the key has the same', async () => {
    expect(await withKey(key).secret('token-secret', () => 'the secret')).toBe('the secret');
    expect(await stored('token-secret')).toMatch(/^sealed:v1\.[\w-]+$/);
    expect(await withKey(key).secret('token-secret', never)).toBe('the secret');
  });

  it('processes that start together agree', async () => {
    const made = await Promise.all(
      Array.from({ length: 4 }, (_, index) =>
        withKey(key).secret('token-secret', () => `secret ${String(index)}`),
      ),
    );
    expect(new Set(made).size).toBe(1);
  });

  it('what stood there in clear is sealed when it is read, and stays what it was', async () => {
    await withKey(undefined).secret('administrator.json', () => 'in clear');
    expect(await stored('administrator.json')).toBe('in clear');
    expect(await withKey(key).secret('administrator.json', never)).toBe('in clear');
    expect(await stored('administrator.json')).not.toContain('in clear');
    expect(await withKey(key).secret('administrator.json', never)).toBe('in clear');
  });

  it.each([
    ['without it', undefined],
    ['with another one', 'o'.repeat(44)],
  ])('nothing is opened %s', async (_what, other) => {
    await withKey(key).secret('token-secret', () => 'the secret');
    await expect(withKey(other).secret('token-secret', never)).rejects.toMatchObject({
      code: 'DATABASE_UNUSABLE',
    });
  });

  it('one secret does not open in the place of another', async () => {
    await withKey(key).secret('metrics-token', () => 'little worth');
    await database.db
      .insertInto('secrets')
      .values({ name: 'token-secret', value: await stored('metrics-token'), created_at: 1 })
      .execute();
    await expect(withKey(key).secret('token-secret', never)).rejects.toMatchObject({
      code: 'DATABASE_UNUSABLE',
    });
  });
});

describe('a new key', () => {
  const next = 'n'.repeat(44);

  it('opens what the one before has sealed, seals it anew, and is then enough', async () => {
    await withKey(key).secret('token-secret', () => 'the secret');
    const before = await stored('token-secret');
    expect(await withKey(next, key).secret('token-secret', never)).toBe('the secret');
    expect(await stored('token-secret')).not.toBe(before);
    expect(await withKey(next).secret('token-secret', never)).toBe('the secret');
    await expect(withKey(key).secret('token-secret', never)).rejects.toThrow(/SECRETS_KEY_PREVIOUS_FILE/);
  });

  it('leaves what is sealed with it as it is, and seals what stood there in clear', async () => {
    await withKey(next, key).secret('token-secret', () => 'the secret');
    const before = await stored('token-secret');
    await withKey(next, key).secret('token-secret', never);
    expect(await stored('token-secret')).toBe(before);
    await withKey(undefined).secret('metrics-token', () => 'in clear');
    await withKey(next, key).secret('metrics-token', never);
    expect(await withKey(next).secret('metrics-token', never)).toBe('in clear');
  });

  it('does not help with what a third one has sealed', async () => {
    await withKey('x'.repeat(44)).secret('token-secret', () => 'the secret');
    await expect(withKey(next, key).secret('token-secret', never)).rejects.toThrow(/Neither/);
  });
});

describe('the key', () => {
  it('comes from a file or a variable, and is long enough', async () => {
    const file = join(await temporaryFolder(), 'secrets.key');
    await writeFile(file, `${key}\n`);
    expect(placesOf({ SECRETS_KEY_FILE: file })).toMatchObject({ secretsKey: key });
    expect(placesOf({ SECRETS_KEY: key })).toMatchObject({ secretsKey: key });
    expect(() => placesOf({ SECRETS_KEY: 'short' })).toThrow(/SECRETS_KEY: expected at least 32 characters/);
    expect(() => placesOf({ SECRETS_KEY_FILE: `${file}.not` })).toThrow('cannot be read');
    expect(placesOf({ SECRETS_KEY: 'n'.repeat(44), SECRETS_KEY_PREVIOUS_FILE: file })).toMatchObject({
      secretsKey: 'n'.repeat(44),
      previousSecretsKey: key,
    });
    expect(() => placesOf({ SECRETS_KEY_PREVIOUS: key })).toThrow('takes its place in SECRETS_KEY_FILE');
  });
});
