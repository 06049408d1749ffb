// Runs build steps and remembers, by a hash of their inputs, which ones need no second run.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { globSync } from 'tinyglobby';
import { buildSteps } from './steps/index.mjs';

/** @typedef {import('./steps/index.mjs').Step} Step */

const root = fileURLToPath(new URL('..', import.meta.url));
const stampFolder = join(root, 'dist', '.stamps');

/**
 * Runs the named steps in order, those they need first.
 * @param {readonly string[]} names
 */
export async function runSteps(names) {
  process.chdir(root);
  /** @type {Set<string>} */
  const done = new Set();
  for (const name of names) await runStep(name, done);
}

/**
 * @param {string} name
 * @param {Set<string>} done
 */
async function runStep(name, done) {
  if (done.has(name)) return;
  done.add(name);
  const step = buildSteps[name];
  if (step === undefined) throw new Error(`Expected a build step, got ${name}`);
  for (const needed of step.needs ?? []) await runStep(needed, done);
  const stampFile = join(stampFolder, name);
  const hash = await hashOf(name, step);
  const last = await readFile(stampFile, 'utf8').catch(() => '');
  if (last === hash && step.outputs.every((output) => existsSync(join(root, output)))) return;
  process.stderr.write(`building ${step.what} …\n`);
  // Without a stamp while it runs: a build that is cut off is done again.
  await rm(stampFile, { force: true });
  const started = performance.now();
  const note = await step.run();
  await mkdir(stampFolder, { recursive: true });
  await writeFile(`${stampFile}.new`, hash);
  await rename(`${stampFile}.new`, stampFile);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stderr.write(`  ${step.what} in ${seconds} s${note ? `: ${note}` : ''}\n`);
}

/**
 * @param {string} name
 * @param {Step} step
 */
async function hashOf(name, step) {
  const hash = createHash('sha256');
  const own = ['package-lock.json', `scripts/steps/${name}.mjs`, ...(step.files ?? [])];
  for (const file of own) hash.update(file).update(await readFile(join(root, file)).catch(() => ''));
  for (const pattern of step.inputs) {
    for (const file of matching(pattern)) hash.update(file).update(await readFile(join(root, file)));
  }
  return hash.digest('hex');
}

/** @param {string} pattern */
function matching(pattern) {
  return globSync(pattern, { cwd: root, onlyFiles: true }).sort();
}
