// `npm run build [-- STEP…]`: makes dist/. A step whose inputs have not changed since its last success is skipped.
// `npm start` builds only what it needs: see start.mjs.
import { readFile } from 'node:fs/promises';
import { buildSteps } from './steps/index.mjs';
import { runSteps } from './stamps.mjs';

const known = Object.keys(buildSteps);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0 || wanted.includes('--help')) {
  process.stderr.write(`npm run build -- [STEP…]\nSteps: ${known.join(', ')} (all when none is given)\n`);
  process.exit(unknown.length > 0 ? 2 : 0);
}
await runSteps(wanted.length > 0 ? wanted : known);
const version = await readFile(new URL('../dist/launcher.version', import.meta.url), 'utf8').catch(
  () => null,
);
if (version !== null) process.stdout.write(`launcher version ${version.trim()}\n`);
