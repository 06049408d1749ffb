// `npm run test:faults -- [--seed N] [--rounds M] …`: builds the programs and the suite, and runs it.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { runSteps } from './stamps.mjs';

await runSteps(['programs', 'launcher', 'web', 'database']);
await build({
  entryPoints: ['test/faults/random/main.ts'],
  outdir: 'dist/faults',
  bundle: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
});
await import(fileURLToPath(new URL('../dist/faults/main.js', import.meta.url)));
