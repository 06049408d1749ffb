// dist/database-template.tar.br: an initialised empty database cluster. A first start unpacks it instead of
// creating one, which takes seconds and several hundred megabytes.
import { mkdir, writeFile } from 'node:fs/promises';
import { brotliCompressSync, constants } from 'node:zlib';
import { PGlite } from '@electric-sql/pglite';

/** @type {import('./index.mjs').Step} */
export const database = {
  what: 'database template',
  // Depends on the version of the embedded database alone, which package-lock.json pins.
  inputs: [],
  outputs: ['dist/database-template.tar.br'],
  async run() {
    const database = await PGlite.create();
    const template = Buffer.from(await (await database.dumpDataDir('none')).arrayBuffer());
    await database.close();
    // Pages of an empty cluster are much alike, over distances that gzip does not see: a third of its size.
    const packed = brotliCompressSync(template, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 9,
        [constants.BROTLI_PARAM_LGWIN]: 24,
        [constants.BROTLI_PARAM_SIZE_HINT]: template.length,
      },
    });
    await mkdir('dist', { recursive: true });
    await writeFile('dist/database-template.tar.br', packed);
    return `${(packed.length / 1024 / 1024).toFixed(1)} MB`;
  },
};
