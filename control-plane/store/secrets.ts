// Where the control plane keeps its own secrets: files of the data folder, or a table that all processes share.
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { secretFile } from '../access/secrets.js';
import type { Clock } from '../clock.js';
import type { Database } from './schema.js';

/** Names are those of the files. */
export interface SecretStore {
  /** Reads a secret, or makes it with `create` at the first start. Processes that start together get the same. */
  secret(name: string, create: () => string | Promise<string>): Promise<string>;
}

/** Each secret in a file that only this user can read. */
export function createFileSecrets(folder: string): SecretStore {
  return { secret: (name, create) => secretFile(join(folder, name), create) };
}

/** Whoever can read the table can act as the control plane, as is so for the data folder. */
export function createDatabaseSecrets(db: Kysely<Database>, clock: Clock): SecretStore {
  const find = (name: string) =>
    db.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirst();
  return {
    async secret(name, create) {
      const known = await find(name);
      if (known !== undefined) return known.value;
      await db
        .insertInto('secrets')
        .values({ name, value: await create(), created_at: clock.now() })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      return (
        await db.selectFrom('secrets').select('value').where('name', '=', name).executeTakeFirstOrThrow()
      ).value;
    },
  };
}
