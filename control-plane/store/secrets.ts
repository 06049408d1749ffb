// Where the control plane keeps its own secrets: files of the data folder, or a table that all processes share.
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { secretFile } from '../access/secrets.js';
import type { Clock } from '../clock.js';
import type { Database } from './schema.js';
import { createSecretBox, type SecretBox } from './secret-box.js';

/** Names are those of the files. */
export interface SecretStore {
  /** Reads a secret, or makes it with `create` at the first start. Processes that start together get the same. */
  secret(name: string, create: () => string | Promise<string>): Promise<string>;
}

/** Each secret in a file that only this user can read. */
export function createFileSecrets(folder: string): SecretStore {
  return { secret: (name, create) => secretFile(join(folder, name), create) };
}

/**
 * In a table, each as the box closes it. Without a key, whoever can read the table can act as the control plane, as is so
 * for the data folder. What was stored before there was a key, or with the key before, is
 * sealed anew as soon as it is read.
 */
export function createDatabaseSecrets(
  db: Kysely<Database>,
  clock: Clock,
  box: SecretBox = createSecretBox(undefined),
): SecretStore {
  const find = (name: string) =>
    db.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirst();
  return {
    async secret(name, create) {
      if ((await find(name)) === undefined) {
        const value = box.close(name, await create());
        await db
          .insertInto('secrets')
          .values({ name, value, created_at: clock.now() })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
      const { value } = await db
        .selectFrom('secrets')
        .select('value')
        .where('name', '=', name)
        .executeTakeFirstOrThrow();
      const secret = box.open(name, value);
      if (box.isOverdue(name, value)) {
        await db
          .updateTable('secrets')
          .set({ value: box.close(name, secret) })
          .where('name', '=', name)
          .where('value', '=', value)
          .execute();
      }
      return secret;
    },
  };
}
