// dist/launcher.cjs: the launcher as one file, for Node 20 and later, and its version.
import { createHash } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const placeholder = '@@launcher-version@@';

/** @type {import('./index.mjs').Step} */
export const launcher = {
  what: 'launcher',
  inputs: ['{protocol,launcher}/**/*.ts'],
  outputs: ['dist/launcher.cjs', 'dist/launcher.version'],
  async run() {
    const result = await build({
      entryPoints: ['launcher/main.ts'],
      outfile: 'dist/launcher.cjs',
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      // Whole names keep stack traces readable; white space is what costs start time.
      minifyWhitespace: true,
      minifySyntax: true,
      legalComments: 'none',
      banner: { js: '#!/usr/bin/env node' },
      define: { __LAUNCHER_VERSION__: JSON.stringify(placeholder) },
      // Optional native parts of ssh2 (Docker over SSH), which the launcher does not offer.
      external: ['cpu-features', '*.node'],
      write: false,
      logLevel: 'warning',
    });
    const text = result.outputFiles[0]?.text;
    if (text === undefined) throw new Error('The launcher bundle came out empty');
    // The version is the hash of the bundle with the placeholder in it: the same sources give the same version.
    const version = createHash('sha256').update(text).digest('hex').slice(0, 16);
    await writeFile('dist/launcher.cjs', text.replaceAll(placeholder, version));
    await chmod('dist/launcher.cjs', 0o755);
    await writeFile('dist/launcher.version', `${version}\n`);
    return `${(text.length / 1024 / 1024).toFixed(1)} MB, version ${version}`;
  },
};
