// The `pulumi` program with stand-ins in the place of the clouds' providers, in folders of its own.
import { execFile, execFileSync } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { available } from '../../support/skips.js';
import { Journal } from '../stand-in/journal.js';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
const searched = [...(process.env['PATH'] ?? '').split(delimiter), join(root, '.tools', 'bin')].join(
  delimiter,
);

export const hasEngineProgram = (program: string, what: string): boolean =>
  available(what, onPath(program), `no program ${program} on the PATH or in .tools/bin`);

export interface Workplace {
  readonly folder: string;
  readonly journal: Journal;
  /** Runs `pulumi` in a folder; its standard output. Fails with all that it said. */
  pulumi(cwd: string, words: readonly string[], input?: string): Promise<string>;
  remove(): Promise<void>;
}

export async function makeWorkplace(): Promise<Workplace> {
  const folder = await mkdtemp(join(tmpdir(), 'poolwright-engine-'));
  const bin = join(folder, 'bin');
  const journal = new Journal(join(folder, 'journal'));
  await mkdir(join(folder, 'state'), { recursive: true });
  await build({
    entryPoints: ['provider-main.ts', 'language-main.ts'].map((file) =>
      join(root, 'test/pulumi/stand-in', file),
    ),
    outdir: bin,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
  });
  const program = async (name: string, ...words: readonly string[]) => {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    await writeFile(join(bin, name), `#!/bin/sh\nexec '${process.execPath}' ${quoted} "$@"\n`);
    await chmod(join(bin, name), 0o755);
  };
  for (const cloud of ['aws', 'azure-native', 'gcp', 'kubernetes']) {
    await program(`pulumi-resource-${cloud}`, join(bin, 'provider-main.cjs'), journal.file, '1.0.0');
  }
  if (!onPath('pulumi-language-nodejs')) {
    const sdk = join(root, 'node_modules', '@pulumi', 'pulumi');
    await program('pulumi-language-nodejs', join(bin, 'language-main.cjs'), sdk);
  }
  const env = {
    ...process.env,
    PATH: [bin, searched].join(delimiter),
    PULUMI_HOME: join(folder, 'home'),
    PULUMI_BACKEND_URL: `file://${join(folder, 'state')}`,
    PULUMI_CONFIG_PASSPHRASE: 'not a secret of anyone',
    PULUMI_SKIP_UPDATE_CHECK: 'true',
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: 'true',
    PULUMI_ERROR_OUTPUT_STRING: 'true',
    NO_COLOR: '1',
  };
  return {
    folder,
    journal,
    async pulumi(cwd, words, input = '') {
      const options = { cwd, env, maxBuffer: 64 * 1024 * 1024 };
      const running = promisify(execFile)('pulumi', ['--non-interactive', ...words], options);
      running.child.stdin?.end(input);
      try {
        return (await running).stdout;
      } catch (error) {
        const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
        throw new Error(`pulumi ${words.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error });
      }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

function onPath(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { env: { ...process.env, PATH: searched } });
    return true;
  } catch {
    return false;
  }
}

/** The built package in a folder, with launchers of a few bytes: their upload is not what is tested. */
export async function copyPackage(folder: string): Promise<void> {
  for (const room of ['dist/components', 'dist/protocol']) {
    await cp(join(root, room), join(folder, room), { recursive: true });
  }
  for (const file of ['PulumiPlugin.yaml', 'package.json']) {
    await cp(join(root, 'components', file), join(folder, 'components', file));
  }
  await cp(join(root, 'package.json'), join(folder, 'package.json'));
  await cp(join(root, 'Pulumi.yaml'), join(folder, 'Pulumi.yaml'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
}

export async function writeLauncher(folder: string, version: string): Promise<void> {
  const files = Object.fromEntries(
    ['x86_64', 'aarch64'].map((name) => [
      name,
      {
        file: `launcher-${name}.gz`,
        sha256: Buffer.from(version).toString('hex').padEnd(64, '0').slice(0, 64),
      },
    ]),
  );
  for (const { file } of Object.values(files)) await writeFile(join(folder, 'dist', file), version);
  await writeFile(join(folder, 'dist', 'launchers.json'), JSON.stringify({ version, files }));
}
