// Importing one component beside importing the modules of Pulumi and of its cloud's SDK that it needs.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { inTurn } from './clock.js';
import { figure, type Figure } from './figure.js';

const rounds = 9;
const run = promisify(execFile);

export async function bench(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const cloud of ['aws', 'azure', 'google']) {
    const entry = resolve(`dist/components/${cloud}/index.js`);
    const component = [pathToFileURL(entry).href];
    const modules = await sdkModules(entry);
    // Once each, untimed: the first one reads files that are then in the page cache.
    await importing(component);
    await importing(modules);
    const { ours, reference } = await inTurn(
      rounds,
      () => importing(component),
      () => importing(modules),
    );
    figures.push(
      figure({
        name: `import ${cloud}`,
        unit: 'ms',
        samples: ours,
        reference: { what: `its ${String(modules.length)} SDK modules`, samples: reference },
        goal: { of: 'ratio', atMost: 1.2 },
      }),
    );
  }
  return figures;
}

/** Milliseconds that a fresh process takes to import them, without its own start. */
async function importing(specifiers: readonly string[]): Promise<number> {
  const program = `
    const start = performance.now();
    ${specifiers.map((specifier) => `await import(${JSON.stringify(specifier)});`).join('\n')}
    process.stdout.write(String(performance.now() - start));
    process.exit();`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program]);
  return Number(stdout);
}

/** What the component imports of Pulumi's packages, wherever in its files, by the same paths. */
async function sdkModules(entry: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    write: false,
    outdir: 'dist',
    metafile: true,
    logLevel: 'silent',
  });
  const imported = Object.values(metafile.outputs).flatMap(({ imports }) => imports);
  const paths = imported.filter(({ kind }) => kind === 'import-statement').map(({ path }) => path);
  return [...new Set(paths.filter((path) => path.startsWith('@pulumi/')))];
}
