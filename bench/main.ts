// `npm run bench -- [NAME…] [--json]`: measures each named figure beside its reference and prints a table.
import { messageOf } from '../protocol/errors.js';
import type { Figure } from './figure.js';
import { table } from './table.js';

/** A bench says why it cannot run here by returning a text instead of figures. */
export type Bench = () => Promise<readonly Figure[] | string>;

const benches: Readonly<Record<string, () => Promise<{ bench: Bench }>>> = {
  pages: () => import('./pages.js'),
  dispatch: () => import('./dispatch.js'),
  claim: () => import('./claim.js'),
  queue: () => import('./queue.js'),
  api: () => import('./api.js'),
  'first-line': () => import('./first-line.js'),
  throughput: () => import('./throughput.js'),
  processes: () => import('./processes.js'),
  launcher: () => import('./launcher.js'),
  start: () => import('./start.js'),
  sigterm: () => import('./sigterm.js'),
  seal: () => import('./seal.js'),
  masks: () => import('./masks.js'),
  workspace: () => import('./workspace.js'),
  logs: () => import('./logs.js'),
  kubernetes: () => import('./kubernetes.js'),
  workers: () => import('./workers.js'),
  imports: () => import('./imports.js'),
  previews: () => import('./previews.js'),
  weights: () => import('./weights.js'),
  boot: () => import('./boot.js'),
};

async function main(words: readonly string[]): Promise<number> {
  if (words.includes('--help')) {
    process.stdout.write(
      `npm run bench -- [NAME…] [--json]\n\nNames: ${Object.keys(benches).join(', ')} (all when none is given)\n` +
        '--json  one object a line: name, unit, value (median), min, max, reference, referenceValue, ratio, goal, met\n',
    );
    return 0;
  }
  const json = words.includes('--json');
  const names = words.filter((word) => !word.startsWith('--'));
  const unknown = [
    ...names.filter((name) => !(name in benches)),
    ...words.filter((word) => word.startsWith('--') && word !== '--json'),
  ];
  if (unknown.length > 0) {
    process.stderr.write(
      `Unknown: ${unknown.join(', ')}. Expected names of: ${Object.keys(benches).join(', ')}\n`,
    );
    return 2;
  }
  const figures: Figure[] = [];
  let failed = false;
  for (const name of names.length > 0 ? names : Object.keys(benches)) {
    process.stderr.write(`measuring ${name} …\n`);
    try {
      const loaded = await benches[name]?.();
      const result = await loaded?.bench();
      if (result === undefined) continue;
      if (typeof result === 'string') {
        process.stderr.write(`  skipped ${name}: ${result}\n`);
        continue;
      }
      figures.push(...result);
      if (json) for (const figure of result) process.stdout.write(`${JSON.stringify(figure)}\n`);
    } catch (error) {
      failed = true;
      process.stderr.write(`  ${name} failed: ${messageOf(error)}\n`);
    }
  }
  if (!json) process.stdout.write(`${table(figures).join('\n')}\n`);
  return failed ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
