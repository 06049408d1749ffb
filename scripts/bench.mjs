// `npm run bench -- [NAME…] [--json]`: builds what is measured and the measurements, and runs them.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { runSteps } from './stamps.mjs';

await runSteps(['programs', 'launcher', 'web', 'database']);
await build({
  entryPoints: ['bench/main.ts', 'bench/support/bare-broker.ts', 'bench/support/crowd.ts'],
  outdir: 'dist/bench',
  outbase: 'bench',
  bundle: true,
  splitting: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
});
await import(fileURLToPath(new URL('../dist/bench/main.js', import.meta.url)));
