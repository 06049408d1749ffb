// What an install weighs on disk, per cloud: this package as npm packs it, Pulumi, and the cloud's SDK, each with all that it
// depends on.
import { execFile } from 'node:child_process';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { figure, type Figure } from './figure.js';
import { notBuilt } from './support/built.js';

const sdks = {
  aws: '@pulumi/aws',
  azure: '@pulumi/azure-native',
  google: '@pulumi/gcp',
  kubernetes: '@pulumi/kubernetes',
};

const names = z.record(z.string(), z.string()).default({});
const lockSchema = z.object({
  packages: z.record(z.string(), z.object({ dependencies: names, optionalDependencies: names })),
});
type Packages = z.infer<typeof lockSchema>['packages'];

const packedSchema = z.tuple([z.object({ files: z.array(z.object({ path: z.string() })) })]);

export async function bench(): Promise<Figure[] | string> {
  const missing = notBuilt('dist/launchers.json', 'dist/components/index.d.ts');
  if (missing !== null) return missing;
  const { packages } = lockSchema.parse(JSON.parse(await readFile('package-lock.json', 'utf8')));
  const weights = new Map<string, Promise<number>>();
  const weightOf = async (paths: Iterable<string>) => {
    let sum = 0;
    for (const path of paths) {
      const weight = weights.get(path) ?? folderSize(path);
      weights.set(path, weight);
      sum += await weight;
    }
    return sum;
  };
  const own = await packedSize();
  const dependencies = closure(packages, Object.keys(packages['']?.dependencies ?? {}));
  const pulumi = new Set([...dependencies, ...closure(packages, ['@pulumi/pulumi'])]);
  const withDependencies = await weightOf(dependencies);
  const withPulumi = await weightOf(pulumi);
  const figures = [
    figure({
      name: 'package, unpacked',
      unit: 'MB',
      samples: [own],
      goal: { of: 'value', atMost: 100 },
      note: `its dependencies ${text(withDependencies)}, @pulumi/pulumi and what it adds ${text(withPulumi - withDependencies)}`,
    }),
  ];
  for (const [cloud, sdk] of Object.entries(sdks)) {
    const all = await weightOf(new Set([...pulumi, ...closure(packages, [sdk])]));
    figures.push(
      figure({
        name: `install for ${cloud}`,
        unit: 'MB',
        samples: [own + all],
        note: `${sdk} and what it adds ${text(all - withPulumi)}`,
      }),
    );
  }
  return figures;
}

const text = (megabytes: number) => `${megabytes.toFixed(1)} MB`;

/** Folders of these packages and of all that they depend on. What was not installed here is for other systems. */
function closure(packages: Packages, roots: readonly string[]): Set<string> {
  const found = new Set<string>();
  const visit = (from: string, name: string) => {
    const path = resolved(packages, from, name);
    if (path === undefined || found.has(path)) return;
    found.add(path);
    const { dependencies = {}, optionalDependencies = {} } = packages[path] ?? {};
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(path, next);
  };
  for (const root of roots) visit('', root);
  return found;
}

/** Where Node finds it: beside the one that asks, or further up. */
function resolved(packages: Packages, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (path in packages) return path;
    if (folder === '') return undefined;
  }
}

/** Megabytes on disk, as du counts them, without the packages nested in it. */
async function folderSize(folder: string): Promise<number> {
  let sum = 0;
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) sum += await fileSize(path);
    else if (entry.name !== 'node_modules') sum += await folderSize(path);
  }
  return sum;
}

async function fileSize(path: string): Promise<number> {
  return ((await lstat(path)).blocks * 512) / 1e6;
}

async function packedSize(): Promise<number> {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--ignore-scripts', '--dry-run', '--json'], {
    maxBuffer: 1e8,
  });
  const [{ files }] = packedSchema.parse(JSON.parse(stdout));
  let sum = 0;
  for (const { path } of files) sum += await fileSize(path);
  return sum;
}
