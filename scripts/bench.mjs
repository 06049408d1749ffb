// `npm run bench -- [NAME…] [--json]`: builds what is measured and the measurements, and runs them.
import { relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { runSteps } from './stamps.mjs';

/**
 * Our programs and components are measured as they were built, file by file: some of them read what lies beside them.
 * @type {import('esbuild').Plugin}
 */
const built = {
  name: 'built',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
      const file = relative('.', resolve(resolveDir, path));
      if (!/^(protocol|control-plane|components)\//.test(file)) return undefined;
      return { path: pathToFileURL(resolve('dist', file)).href, external: true };
    });
  },
};

const names = process.argv.slice(2).filter((word) => !word.startsWith('--'));
/** What the executables and the package are measured with takes a minute more to build. */
const ofExecutables = ['start', 'weights', 'previews', 'boot'];
const all = names.length === 0 || names.some((name) => ofExecutables.includes(name));
await runSteps(['programs', 'launcher', 'web', 'database', ...(all ? ['types', 'executables'] : [])]);
await build({
  entryPoints: [
    'bench/main.ts',
    'bench/support/bare-broker.ts',
    'bench/support/bare-graphql.ts',
    'bench/support/crowd.ts',
  ],
  outdir: 'dist/bench',
  outbase: 'bench',
  bundle: true,
  splitting: true,
  packages: 'external',
  plugins: [built],
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
});
await import(fileURLToPath(new URL('../dist/bench/main.js', import.meta.url)));
