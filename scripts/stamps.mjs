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
 * Runs the named steps side by side, each after those it needs.
 * @param {readonly string[]} names
 */
export async function runSteps(names) {
  process.chdir(root);
  await mkdir(stampFolder, { recursive: true });
  /** @type {Map<string, Promise<void>>} */
  const begun = new Map();
  /** @param {string} name */
  const once = (name) => {
    const step = begun.get(name) ?? runStep(name, once);
    begun.set(name, step);
    return step;
  };
  // What has begun is brought to its end, also when another step fails: nothing is cut off in the middle.
  const ends = await Promise.allSettled(names.map(once));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/**
 * @param {string} name
 * @param {(name: string) => Promise<void>} once
 */
async function runStep(name, once) {
  const step = buildSteps[name];
  if (step === undefined) throw new Error(`Expected a build step, got ${name}`);
  await Promise.all((step.needs ?? []).map(once));
  const stampFile = join(stampFolder, name);
  const hash = await hashOf(name, step);
  const last = await readFile(stampFile, 'utf8').catch(() => '');
  if (last === hash && step.outputs.every((output) => existsSync(join(root, output)))) return;
  process.stderr.write(`building ${step.what} …\n`);
  // Without a stamp while it runs: a build that is cut off is done again.
  await rm(stampFile, { force: true });
  const started = performance.now();
  const note = await step.run();
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
