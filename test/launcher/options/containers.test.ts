// The effect of options on run containers and their logs: one launcher that has them all, one run of each type.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { RunType } from '../../../protocol/runs.js';
import { logOf, startControlPlane, type TestLauncher, type TestPlane } from '../../support/control-plane.js';
import { hasRunnerImage, runnerImage } from '../../support/runner-image.js';
import { startGitServer, type GitServer } from '../support/git-server.js';
import { until } from '../support/until.js';

const secret = 'sesame-open-up';
/** Stands before the run says that it is ready to be looked at from outside. */
const command = `echo "uid $(id -u):$(id -g)"
echo "variables all=\${FOR_ALL:-} read=\${FOR_READ:-} write=\${FOR_WRITE:-} unnamed=\${UNNAMED:-}"
echo "mounts $(cd /mnt; echo extra-*)"
echo "address $(ip -4 -o addr show dev eth0)"
echo "secret $TOLD"
cat greeting
touch /mnt/extra-all/ready-$SPACELIFT_RUN_ID
while [ ! -e /mnt/extra-all/seen-$SPACELIFT_RUN_ID ]; do sleep 0.05; done`;

const types: readonly (readonly [RunType, 'read' | 'write', string])[] = [
  ['PROPOSED', 'read', 'PLANNING'],
  ['TESTING', 'read', 'PLANNING'],
  ['TRACKED', 'write', 'PLANNING'],
  ['TASK', 'write', 'PERFORMING'],
  ['DESTROY', 'write', 'DESTROYING'],
];

const containerSchema = z.tuple([
  z.object({
    Config: z.object({ Image: z.string() }),
    HostConfig: z.object({ Runtime: z.string(), NetworkMode: z.string() }),
  }),
]);

interface Seen {
  readonly stack: string;
  readonly run: string;
  readonly log: string;
  readonly preparing: string;
  readonly container: z.infer<typeof containerSchema>[0];
}

const docker = (...args: string[]) => execFileSync('docker', args, { encoding: 'utf8' }).trim();

describe.skipIf(!hasRunnerImage('options of run containers'))('in a container', { timeout: 60_000 }, () => {
  const name = `poolwright-options-${String(process.pid)}`;
  const image = `poolwright-test/${name}:1`;
  let folder: string;
  let plane: TestPlane;
  let git: GitServer;
  let launcher: TestLauncher;
  let subnet: string;
  let seen: ReadonlyMap<RunType, Seen>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-options-'));
    await chmod(folder, 0o755);
    for (const each of ['git', 'all', 'read', 'write', 'state']) await mkdir(join(folder, each));
    await chmod(join(folder, 'all'), 0o777);
    docker('tag', runnerImage, image);
    docker('network', 'create', name);
    subnet = docker('network', 'inspect', name, '--format', '{{(index .IPAM.Config 0).Subnet}}');
    git = await startGitServer(join(folder, 'git'));
    plane = await startControlPlane(folder);
    launcher = await plane.startLauncher({
      POOLWRIGHT_EXECUTOR: 'docker',
      SPACELIFT_DEFAULT_RUNNER_IMAGE: image,
      SPACELIFT_WORKER_NETWORK: name,
      SPACELIFT_WORKER_RUNTIME: 'io.containerd.runc.v2',
      SPACELIFT_WORKER_EXTRA_MOUNTS: `${folder}/all:/mnt/extra-all`,
      SPACELIFT_WORKER_RO_EXTRA_MOUNTS: `${folder}/read:/mnt/extra-read`,
      SPACELIFT_WORKER_WO_EXTRA_MOUNTS: `${folder}/write:/mnt/extra-write`,
      SPACELIFT_WHITELIST_ENVS: 'FOR_ALL,ro_FOR_READ,wo_FOR_WRITE,TOLD',
      SPACELIFT_MASK_ENVS: 'TOLD',
      SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED: 'true',
      SPACELIFT_DEBUG: 'true',
      SPACELIFT_METADATA_shelf: 'left',
      SPACELIFT_PRIVATEVCS_MAPPING_NAME_0: 'other_pool',
      SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_0: 'http://127.0.0.1:1',
      SPACELIFT_PRIVATEVCS_MAPPING_NAME_1: 'git_pool',
      SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_1: `http://127.0.0.1:${String(git.port)}`,
      FOR_ALL: 'a',
      FOR_READ: 'r',
      FOR_WRITE: 'w',
      TOLD: secret,
      UNNAMED: 'u',
    });
    await plane.idle(1);
    const all = new Map<RunType, Seen>();
    for (const [type, , state] of types) all.set(type, await look(type, state));
    seen = all;
  }, 120_000);
  afterAll(async () => {
    await plane.close();
    await git.close();
    docker('network', 'rm', name);
    docker('rmi', image);
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs the command as a run of this type and looks at its container meanwhile. */
  async function look(type: RunType, state: string): Promise<Seen> {
    const { stack, run } = await plane.triggerRun(
      {
        repository: 'private://git_pool/repository.git',
        branch: 'main',
        planCommands: [command],
        destroyCommands: [command],
      },
      type === 'TASK' ? { task: command } : { runType: type },
    );
    await until(
      async () => {
        const done = await plane.run(stack, run);
        if (done.failure !== null) throw new Error(done.failure.message);
        return (
          docker('ps', '--quiet', '--filter', `label=poolwright.run=${run}`) !== '' && (await isReady(run))
        );
      },
      `the ${type} run to say that it is ready`,
      30_000,
    );
    const id = docker('ps', '--quiet', '--filter', `label=poolwright.run=${run}`);
    const [container] = containerSchema.parse(JSON.parse(docker('inspect', id)));
    await writeFile(join(folder, 'all', `seen-${run}`), '');
    await plane.reached(stack, run, type === 'TRACKED' ? 'UNCONFIRMED' : 'FINISHED');
    const log = await logOf(plane, stack, run, state);
    return { stack, run, log, preparing: await logOf(plane, stack, run, 'PREPARING'), container };
  }

  const isReady = (run: string) =>
    rm(join(folder, 'all', `ready-${run}`)).then(
      () => true,
      () => false,
    );

  const of = (type: RunType): Seen => {
    const found = seen.get(type);
    if (found === undefined) throw new Error(`no run of type ${type}`);
    return found;
  };

  it('runs are UID 1983', () => {
    for (const [type] of types) expect(of(type).log).toContain('uid 1983:1983\n');
  });

  it('SPACELIFT_DEFAULT_RUNNER_IMAGE is the image of a stack that names none', () => {
    expect(of('TRACKED').container.Config.Image).toBe(image);
  });

  it('SPACELIFT_WORKER_NETWORK is the network that runs are in', () => {
    const start = subnet.split('.').slice(0, 2).join('.');
    expect(of('TRACKED').log).toMatch(new RegExp(`^address .* inet ${start.replaceAll('.', '\\.')}\\.`, 'm'));
  });

  it('SPACELIFT_WORKER_RUNTIME is the OCI runtime of their containers', () => {
    expect(of('TRACKED').container.HostConfig.Runtime).toBe('io.containerd.runc.v2');
  });

  it('SPACELIFT_WORKER_EXTRA_MOUNTS are there in every run, RO_ ones in read runs, WO_ ones in write runs', () => {
    for (const [type, kind] of types)
      expect(of(type).log, type).toContain(`mounts extra-all extra-${kind}\n`);
  });

  it('SPACELIFT_WHITELIST_ENVS passes variables to every run, ro_ ones to read runs, wo_ ones to write runs', () => {
    for (const [type, kind] of types) {
      const values = kind === 'read' ? 'read=r write=' : 'read= write=w';
      expect(of(type).log, type).toContain(`variables all=a ${values} unnamed=\n`);
    }
  });

  it('SPACELIFT_MASK_ENVS keeps values out of the log and of standard output', () => {
    for (const [type] of types) expect(of(type).log).toContain('secret ***\n');
    expect(launcher.output()).not.toContain(secret);
  });

  it('SPACELIFT_DEBUG writes the commands into the log', () => {
    expect(of('TASK').log).toContain(`[task] ${command}`);
    expect(of('PROPOSED').log).toContain(`[plan 1] ${command}`);
  });

  it('SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED prints run logs as JSON lines', () => {
    const { run, stack } = of('TASK');
    const lines = launcher
      .output()
      .split('\n')
      .filter((line) => line.includes('"run_ulid"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const line = lines.find(({ run_ulid, msg }) => run_ulid === run && msg === 'uid 1983:1983');
    expect(line).toEqual({
      run_ulid: run,
      stack_id: stack,
      ts: expect.any(Number) as number,
      msg: 'uid 1983:1983',
    });
    // Seconds, as the contract's other times.
    expect(Math.abs(Number(line?.['ts']) - Date.now() / 1000)).toBeLessThan(300);
  });

  it('SPACELIFT_METADATA_ tags are those of the worker', async () => {
    const [worker] = await plane.workers();
    expect(worker?.metadata).toMatchObject({ shelf: 'left' });
  });

  it('SPACELIFT_PRIVATEVCS_MAPPING_ rewrites the Git remote of a run', () => {
    for (const [type] of types) {
      expect(of(type).preparing).toContain(`Fetching http://127.0.0.1:${String(git.port)}/repository.git`);
      expect(of(type).log).toContain('hello from the repository\n');
    }
    expect(git.asked).toContain('/repository.git/info/refs');
  });
});
