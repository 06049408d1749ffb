// Opens the embedded database in a folder: unpacked from the built template at a first start, else as it was left.
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';
import { PostgresDialect, type Kysely } from 'kysely';
import { PoolwrightError, messageOf } from '../../protocol/errors.js';
import { migrate } from './migrations.js';
import { pglitePool } from './pglite-pool.js';
import { RetryingDatabase } from './retrying.js';
import type { Database } from './schema.js';
import { readTemplate, unpackTemplate } from './template.js';

export interface OpenDatabaseOptions {
  /** Made when it is not there. Not given: in memory, for tests. */
  readonly folder?: string;
  /** `dist/database-template.tar.br`; without it a first start takes some seconds more. */
  readonly template?: string;
  /** Unix milliseconds. */
  readonly now: number;
  /** Told when something takes longer than a moment. */
  readonly onProgress?: (line: string) => void;
}

/** Opens and migrates. The caller closes it with `destroy()`. Throws DATA_DIR_UNUSABLE. */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Kysely<Database>> {
  const pglite = await open(options);
  const db = new RetryingDatabase<Database>({ dialect: new PostgresDialect({ pool: pglitePool(pglite) }) });
  try {
    await migrate(db, options.now);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return db;
}

async function open({ folder, template, onProgress }: OpenDatabaseOptions): Promise<PGlite> {
  const usable = template !== undefined && existsSync(template) ? template : undefined;
  if (folder === undefined) {
    return PGlite.create(usable === undefined ? {} : { loadDataDir: new Blob([await readTemplate(usable)]) });
  }
  if (!existsSync(folder)) await create(folder, usable, onProgress);
  try {
    return await PGlite.create({ dataDir: folder });
  } catch (error) {
    throw new PoolwrightError(
      'DATA_DIR_UNUSABLE',
      `The database in ${folder} cannot be opened (${messageOf(error)}). ` +
        'If the folder was copied, copy it again while the control plane is stopped; else restore it from a backup.',
      { cause: error },
    );
  }
}

/** Made beside and renamed, so that a first start that is killed leaves no half-made database behind. */
async function create(
  folder: string,
  template: string | undefined,
  onProgress?: (line: string) => void,
): Promise<void> {
  const unfinished = `${folder}.new`;
  await rm(unfinished, { recursive: true, force: true });
  if (template === undefined) {
    onProgress?.('creating the database (some seconds, once)');
    const database = await PGlite.create({ dataDir: unfinished });
    await database.close();
  } else {
    onProgress?.('creating the database');
    await unpackTemplate(template, unfinished);
  }
  await rename(unfinished, folder);
}
