// A database cluster as a first start wants it: initialised and migrated when the program is built, so that no
// start spends seconds on it. `dist/database-template.tar.br` holds one.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PostgresDialect } from 'kysely';
import { extract } from 'tar-stream';
import { migrate } from './migrations.js';
import { pglitePool } from './pglite-pool.js';
import type { Database } from './schema.js';

const packed = promisify(brotliCompress);
const unpacked = promisify(brotliDecompress);

/** A template's bytes, a tar in brotli. Its steps count as applied at time 0: who opens it says when that was. */
export async function makeTemplate(): Promise<Uint8Array> {
  const cluster = await PGlite.create();
  // No other database is ever made of these two, and they are two thirds of the files of a cluster.
  for (const name of ['template0', 'template1']) {
    await cluster.exec(`alter database ${name} is_template false`);
    await cluster.exec(`drop database ${name}`);
  }
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool: pglitePool(cluster) }) });
  await migrate(db, 0);
  await cluster.exec('checkpoint');
  const tar = Buffer.from(await (await cluster.dumpDataDir('none')).arrayBuffer());
  await db.destroy();
  // Pages of an empty cluster are much alike, over distances that gzip does not see: a third of its size.
  return packed(tar, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 9,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: tar.length,
    },
  });
}

/** The tar in a template's file. */
export async function readTemplate(file: string): Promise<Buffer<ArrayBuffer>> {
  return unpacked(await readFile(file));
}

/** Makes `folder` a cluster. The embedded database could unpack it, too, but has to be started for that. */
export async function unpackTemplate(file: string, folder: string): Promise<void> {
  const tar = extract();
  const entries = (async () => {
    for await (const entry of tar) {
      const path = join(folder, entry.header.name);
      if (entry.header.type === 'directory') {
        await mkdir(path, { recursive: true, mode: 0o700 });
        entry.resume();
      } else {
        const parts: Uint8Array[] = [];
        for await (const part of entry) parts.push(part as Uint8Array);
        await writeFile(path, parts, { mode: 0o600, flag: 'wx' });
      }
    }
  })();
  await mkdir(folder, { mode: 0o700 });
  await Promise.all([pipeline(Readable.from([await readTemplate(file)]), tar), entries]);
}
