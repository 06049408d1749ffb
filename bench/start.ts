// Cold start of the launcher's executable beside an executable of the same Node that says hello.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { inTurn, processorTime } from './clock.js';
import { figure, type Figure } from './figure.js';
import { notBuilt } from './support/built.js';

const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

export async function bench(): Promise<Figure[] | string> {
  const launcher = `dist/launcher-${architecture}`;
  const missing = notBuilt(launcher);
  if (missing !== null) return missing;
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-bench-'));
  try {
    const main = join(folder, 'hello.cjs');
    await writeFile(main, "console.log('hello');\n");
    const hello = join(folder, 'hello');
    const words = JSON.stringify([architecture, folder, hello, main]);
    const program = `import { make } from './scripts/steps/executables.mjs'; await make(...${words});`;
    execFileSync(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' });
    const ours = () => Promise.resolve(processorTime(resolve(launcher), '--version'));
    const reference = () => Promise.resolve(processorTime(hello));
    // From the disk both only once: what is measured is the start, not the disk.
    await ours();
    await reference();
    const samples = await inTurn(15, ours, reference);
    return [
      figure({
        name: 'start of the executable',
        unit: 'ms CPU',
        samples: samples.ours,
        reference: { what: 'hello world, same Node', samples: samples.reference },
        goal: { of: 'ratio', atMost: 2.5 },
        note: '`launcher --version`: what it takes more is the bundle to parse. `npm run bench -- launcher` has the time until it is IDLE.',
      }),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
