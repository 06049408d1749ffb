// dist/database-template.tar.gz: an initialised empty database cluster. A first start unpacks it instead of
// creating one, which takes seconds and several hundred megabytes.
import { mkdir, writeFile } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';

/** @type {import('./index.mjs').Step} */
export const database = {
  what: 'database template',
  // Depends on the version of the embedded database alone, which package-lock.json pins.
  inputs: [],
  outputs: ['dist/database-template.tar.gz'],
  async run() {
    const database = await PGlite.create();
    const template = await database.dumpDataDir('gzip');
    await database.close();
    await mkdir('dist', { recursive: true });
    await writeFile('dist/database-template.tar.gz', Buffer.from(await template.arrayBuffer()));
    return `${(template.size / 1024 / 1024).toFixed(1)} MB`;
  },
};
