// The control plane, the protocol and the components as JavaScript, file by file, in dist/.
import { cp, rm } from 'node:fs/promises';
import { build } from 'esbuild';
import { globSync } from 'tinyglobby';

const sources = ['{protocol,control-plane,components}/**/*.{ts,tsx}', '!control-plane/web/assets/**'];
const data = ['control-plane/**/*.{graphql,yaml}', 'components/**/*.sh', 'components/schema.json'];

/** @type {import('./index.mjs').Step} */
export const programs = {
  what: 'control plane and components',
  inputs: [...sources.slice(0, 1), ...data],
  outputs: ['dist/control-plane/main.js'],
  async run() {
    // A file that was renamed or removed must not live on in dist/.
    for (const room of ['protocol', 'control-plane', 'components']) {
      await rm(`dist/${room}`, { recursive: true, force: true });
    }
    await build({
      entryPoints: globSync(sources),
      outdir: 'dist',
      outbase: '.',
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: 'linked',
      sourcesContent: false,
      logLevel: 'warning',
    });
    for (const file of globSync(data)) await cp(file, `dist/${file}`);
  },
};
