// What browsers load: the client script and the style sheet, named by their content so that they can be cached for ever.
import { rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { build } from 'esbuild';
import { globSync } from 'tinyglobby';

/** @type {import('./index.mjs').Step} */
export const web = {
  what: 'web assets',
  inputs: ['control-plane/web/assets/**', 'control-plane/web/words.ts'],
  outputs: ['dist/web/manifest.json'],
  async run() {
    await rm('dist/web', { recursive: true, force: true });
    const result = await build({
      entryPoints: globSync('control-plane/web/assets/*.{ts,css,svg}'),
      outdir: 'dist/web',
      entryNames: '[name]-[hash]',
      bundle: true,
      minify: true,
      format: 'esm',
      platform: 'browser',
      target: ['es2022', 'chrome110', 'firefox115', 'safari16.4'],
      loader: { '.svg': 'copy' },
      metafile: true,
      logLevel: 'warning',
    });
    /** @type {Record<string, string>} */
    const manifest = {};
    for (const [output, { entryPoint }] of Object.entries(result.metafile.outputs)) {
      if (entryPoint !== undefined) manifest[basename(entryPoint)] = basename(output);
    }
    await writeFile('dist/web/manifest.json', `${JSON.stringify(manifest, null, 2)}\n`);
  },
};
