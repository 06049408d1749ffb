// The package as npm packs it, in a project of its own.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available, hasProgram } from '../support/skips.js';
import { startPlugin } from '../pulumi/support/plugin.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
let project: string;
let unpacked: string;

/** Everything that is installed here but for the cloud SDKs, of which a test links the ones that it wants. */
async function link(...scoped: readonly string[]): Promise<void> {
  const target = join(project, 'node_modules');
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (name.startsWith('.') || name === '@pulumi' || name === '@poolwright') continue;
    await symlink(join(root, 'node_modules', name), join(target, name)).catch(() => undefined);
  }
  await mkdir(join(target, '@pulumi'), { recursive: true });
  for (const name of scoped) {
    await symlink(join(root, 'node_modules', '@pulumi', name), join(target, '@pulumi', name));
  }
}

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'poolwright-package-'));
  unpacked = join(project, 'node_modules', '@poolwright', 'workerpools');
  await mkdir(unpacked, { recursive: true });
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', project], {
    cwd: root,
  });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await run('tar', ['-xzf', join(project, filename), '-C', unpacked, '--strip-components=1']);
  await writeFile(join(project, 'package.json'), '{"type":"module"}');
  await link('pulumi', 'aws', 'kubernetes');
}, 120_000);

afterAll(() => rm(project, { recursive: true, force: true }));

describe('the package', () => {
  it('carries the launcher for both architectures', async () => {
    const list = JSON.parse(await readFile(join(unpacked, 'dist', 'launchers.json'), 'utf8')) as {
      files: Record<string, { file: string }>;
    };
    for (const { file } of Object.values(list.files)) {
      expect((await stat(join(unpacked, 'dist', file))).size).toBeGreaterThan(1_000_000);
    }
  });

  it.skipIf(
    !available(
      'weight of the package',
      hasProgram('libdeflate-gzip', '-V'),
      'no libdeflate-gzip (Debian: libdeflate-tools)',
    ),
  )('stays below 100 MB on disk', async () => {
    const { stdout } = await run('du', ['-s', '--block-size=1', unpacked]);
    expect(Number(stdout.split('\t')[0])).toBeLessThan(100_000_000);
  });

  it.each(['@poolwright/workerpools/aws', '@poolwright/workerpools'])(
    'deploys with the SDK of one cloud only, imported as %s',
    async (entry) => {
      const program = `
        import * as pulumi from '@pulumi/pulumi';
        const made = [];
        await pulumi.runtime.setMocks({
          newResource({ type, name, inputs }) { made.push(type); return { id: name, state: inputs }; },
          call: () => ({ partition: 'aws', region: 'eu-west-1', id: 'ami', rootDeviceName: '/dev/xvda', vpcId: 'vpc', instanceTypes: ['t3.small'] }),
        });
        const { Ec2WorkerPool } = await import(${JSON.stringify(entry)});
        const pool = new Ec2WorkerPool('builds', { credentials: 'arn:aws:secretsmanager:r:1:secret:s', subnetIds: ['s'] });
        await pulumi.runtime.disconnect();
        console.log(JSON.stringify({ made, one: pool instanceof Ec2WorkerPool }));`;
      const file = join(project, 'program.mjs');
      await writeFile(file, program);
      const { stdout } = await run(process.execPath, [file], { cwd: project });
      const { made, one } = JSON.parse(stdout) as { made: string[]; one: boolean };
      expect(made).toContain('aws:autoscaling/group:Group');
      expect(one).toBe(true);
    },
  );

  it('deploys to Kubernetes with its SDK', async () => {
    const program = `
      import * as pulumi from '@pulumi/pulumi';
      const made = [];
      await pulumi.runtime.setMocks({
        newResource({ type, name, inputs }) { made.push(type); return { id: name, state: { ...inputs, metadata: { name, ...inputs.metadata } } }; },
        call: () => ({}),
      });
      const { KubernetesWorkerPool } = await import('@poolwright/workerpools/kubernetes');
      new KubernetesWorkerPool('builds', { credentials: 'pool', namespace: 'runs', launcher: { image: 'i:1' } });
      await pulumi.runtime.disconnect();
      console.log(JSON.stringify(made));`;
    const file = join(project, 'kubernetes.mjs');
    await writeFile(file, program);
    const { stdout } = await run(process.execPath, [file], { cwd: project });
    expect(JSON.parse(stdout)).toContain('kubernetes:workers.spacelift.io/v1beta1:WorkerPool');
  });

  it('says which SDK is missing when a component of another cloud is used', async () => {
    const program = `import { MigWorkerPool } from '@poolwright/workerpools'; new MigWorkerPool('x', {});`;
    const failed = run(process.execPath, ['--input-type=module', '-e', program], { cwd: project });
    await expect(failed).rejects.toThrow(/@pulumi\/gcp/);
  });

  it('is a plugin for other languages, too', async () => {
    const plugin = await startPlugin(join(unpacked, 'components'), {
      modules: join(project, 'node_modules'),
    });
    try {
      expect(JSON.parse(await plugin.schema())).toMatchObject({
        name: 'workerpools',
        namespace: 'poolwright',
      });
    } finally {
      await plugin.close();
    }
  }, 120_000);

  it('has types that a strict program is checked against', async () => {
    const program = `
      import { Ec2WorkerPool, type Ec2WorkerPoolArgs } from '@poolwright/workerpools/aws';
      const args: Ec2WorkerPoolArgs = { credentials: 'arn', subnetIds: ['s'], size: { min: 1, max: 2 } };
      export const name = new Ec2WorkerPool('builds', args).groupName;
      import { KubernetesWorkerPool as Pool, type KubernetesWorkerPoolArgs } from '@poolwright/workerpools/kubernetes';
      export const pod: KubernetesWorkerPoolArgs['pod'] = { tolerations: [{ operator: 'Exists' }] };
      export const id = new Pool('builds', { credentials: 'pool', pod }).poolId;
      // @ts-expect-error: a toleration has no such field
      export const odd: KubernetesWorkerPoolArgs['pod'] = { tolerations: [{ operators: 'Exists' }] };
      // @ts-expect-error: a size is a number
      export const wrong: Ec2WorkerPoolArgs = { size: { min: '1', max: 2 } };`;
    await writeFile(join(project, 'typed.ts'), program);
    const options = {
      strict: true,
      noEmit: true,
      module: 'nodenext',
      target: 'es2023',
      skipLibCheck: true,
      types: ['node'],
    };
    await writeFile(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['typed.ts'] }),
    );
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    await run(process.execPath, [tsc, '-p', project], { cwd: dirname(tsc) });
  }, 60_000);
});
