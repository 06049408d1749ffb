// dist/database-template.tar.br: an initialised and migrated empty database cluster. A first start unpacks it instead
// of creating one, which takes seconds and several hundred megabytes.
import { writeFile } from 'node:fs/promises';

/** @type {import('./index.mjs').Step} */
export const database = {
  what: 'database template',
  // Depends on the version of the embedded database, too, which package-lock.json pins.
  inputs: [
    'control-plane/store/template.ts',
    'control-plane/store/migrations.ts',
    'control-plane/store/migrations/**',
  ],
  outputs: ['dist/database-template.tar.br'],
  needs: ['programs'],
  async run() {
    const { makeTemplate } = await import(
      new URL('../../dist/control-plane/store/template.js', import.meta.url).href
    );
    const packed = await makeTemplate();
    await writeFile('dist/database-template.tar.br', packed);
    return `${(packed.length / 1024 / 1024).toFixed(1)} MB`;
  },
};
