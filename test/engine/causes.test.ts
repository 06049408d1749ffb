// Runs that fail for what is wrong with their worker or image, on the real engine: each cause has its code, and its
// message says what to do.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../launcher/support/until.js';
import { logOf, startControlPlane, type TestLauncher, type TestPlane } from '../support/control-plane.js';
import { startEngineSocket, type EngineSocket } from '../support/engine-socket.js';
import { makeImage, otherArchitecture, shellOfOtherArchitecture, without } from '../support/odd-images.js';
import { startRegistry, type LocalRegistry } from '../support/registry.js';
import { hasRunnerImage, runnerImage } from '../support/runner-image.js';
import { available, hasProgram } from '../support/skips.js';

const containers = hasRunnerImage('causes of failed runs');
const docker = (...args: string[]) => execFileSync('docker', args, { encoding: 'utf8' }).trim();
const credentials = { username: 'worker', password: 'geheim' };

describe.skipIf(!containers)('a run fails with its cause', { timeout: 90_000 }, () => {
  const prefix = `poolwright-test/odd-${String(process.pid)}`;
  const images = {
    none: [`${prefix}-none:1`, without],
    other: [`${prefix}-other:1`, shellOfOtherArchitecture],
  } as const;
  let folder: string;
  let shared: string;
  let plane: TestPlane;
  let registry: LocalRegistry;
  let launcher: TestLauncher;
  let engine: EngineSocket;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-causes-'));
    await chmod(folder, 0o755);
    shared = join(folder, 'shared');
    await mkdir(shared);
    await chmod(shared, 0o777);
    otherArchitecture(join(shared, 'program'));
    for (const [name, fill] of Object.values(images)) makeImage(name, fill);
    registry = await startRegistry(credentials);
    const auth = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
    await writeFile(join(folder, 'config.json'), JSON.stringify({ auths: { [registry.host]: { auth } } }));
    engine = await startEngineSocket(join(folder, 'engine.sock'));
    plane = await startControlPlane(folder);
    launcher = await plane.startLauncher({
      POOLWRIGHT_EXECUTOR: 'docker',
      DOCKER_HOST: engine.host,
      SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage,
      SPACELIFT_DOCKER_CONFIG_DIR: folder,
      SPACELIFT_WORKER_EXTRA_MOUNTS: `${shared}:/mnt/shared`,
    });
    await plane.idle(1);
  }, 120_000);
  afterAll(async () => {
    await plane.close();
    await engine.away();
    await registry.close();
    docker('rmi', ...Object.values(images).map(([name]) => name));
    await rm(folder, { recursive: true, force: true });
  });

  async function failureOf(task: string, image?: string) {
    const { stack, run } = await plane.triggerRun(image === undefined ? {} : { runnerImage: image }, {
      task,
    });
    const { failure } = await plane.reached(stack, run, 'FAILED', 'FINISHED');
    return failure;
  }

  async function waitsFor(stack: string, run: string, why: RegExp) {
    await until(async () => why.test((await plane.run(stack, run)).waitReason ?? ''), String(why), 40_000);
  }

  /** Starts a task that says `started` and waits for a file before it does the rest. */
  async function held(rest: string) {
    const wait = 'echo started; while [ ! -e /mnt/shared/go-$SPACELIFT_RUN_ID ]; do sleep 0.05; done';
    const { stack, run } = await plane.triggerRun({}, { task: `${wait}; ${rest}` });
    await until(
      async () => (await logOf(plane, stack, run, 'PERFORMING').catch(() => '')).includes('started'),
      'the first line',
      20_000,
    );
    const go = () => writeFile(join(shared, `go-${run}`), '');
    return { stack, run, go, container: docker('ps', '--quiet', '--filter', `label=poolwright.run=${run}`) };
  }

  it('OUT_OF_MEMORY, when the kernel ended a step', async () => {
    const { stack, run, go, container } = await held('dd if=/dev/zero of=/dev/null bs=200M count=1');
    docker('update', '--memory', '24m', '--memory-swap', '24m', container);
    await go();
    const { failure } = await plane.reached(stack, run, 'FAILED', 'FINISHED');
    expect(failure?.code).toBe('OUT_OF_MEMORY');
    expect(failure?.message).toMatch(
      /^The step task was ended by the kernel because memory ran out: the machine of this worker has \d+ MB.*Use a larger one/,
    );
  });

  it('OUT_OF_MEMORY, when a step ends with a code of its own because the kernel ended what it had started', async () => {
    const { stack, run, go, container } = await held(
      'dd if=/dev/zero of=/dev/null bs=200M count=1 || exit 1',
    );
    docker('update', '--memory', '24m', '--memory-swap', '24m', container);
    await go();
    const { failure } = await plane.reached(stack, run, 'FAILED', 'FINISHED');
    expect(failure?.code).toBe('OUT_OF_MEMORY');
    expect(failure?.message).toMatch(
      /^The step task ended with exit code 1, and the kernel had killed a process of it/,
    );
  });

  it('RUN_USER_MISSING, when a program asks for the name of the user', async () => {
    const failure = await failureOf('whoami');
    expect(failure?.code).toBe('RUN_USER_MISSING');
    expect(failure?.message).toMatch(/no user with UID 1983. Add one, such as "adduser/);
  });

  it('IMAGE_UNUSABLE, when it has no shell', async () => {
    const failure = await failureOf('true', images.none[0]);
    expect(failure).toMatchObject({
      code: 'IMAGE_UNUSABLE',
      message: `The runner image ${images.none[0]} cannot be used: it has no /bin/sh that starts, by which commands of a run are executed. Build it from one that has a shell, such as Alpine or Debian.`,
    });
  });

  it('WRONG_ARCHITECTURE, when shell or image or a program of the run is for another processor', async () => {
    const shell = await failureOf('true', images.other[0]);
    expect(shell?.code).toBe('WRONG_ARCHITECTURE');
    expect(shell?.message).toContain(`${images.other[0]} is built for another processor architecture`);
    const inRegistry = await failureOf('true', `${registry.host}/runners/runner:other`);
    expect(inRegistry?.code, inRegistry?.message).toBe('WRONG_ARCHITECTURE');
    expect(inRegistry?.message).toContain('its registry has none for this one');
    const program = await failureOf('/mnt/shared/program');
    expect(program?.code).toBe('WRONG_ARCHITECTURE');
    expect(program?.message).toContain('The step task ended with exit code');
  });

  it('IMAGE_UNAVAILABLE, with what to do for each reason', async () => {
    const missing = await failureOf('true', `${registry.host}/runners/runner:missing`);
    expect(missing?.code).toBe('IMAGE_UNAVAILABLE');
    expect(missing?.message).toContain('check its name and its tag');
    const unreachable = await failureOf('true', '127.0.0.1:1/runner:1');
    expect(unreachable?.code).toBe('IMAGE_UNAVAILABLE');
    expect(unreachable?.message).toContain("Check the worker's way to the registry");
  });

  it('none, when the engine is away for a moment', async () => {
    const { stack, run, go } = await held('echo ended');
    await engine.away();
    await go();
    await until(
      async () => (await logOf(plane, stack, run, 'PERFORMING')).includes('ended'),
      'the last line, though the engine is away',
      20_000,
    );
    await engine.back();
    const done = await plane.reached(stack, run, 'FAILED', 'FINISHED');
    expect(done.failure).toBeNull();
    await plane.idle(1);
    expect(docker('ps', '--all', '--quiet', '--filter', `label=poolwright.run=${run}`)).toBe('');
  });

  it('but waits, and says why, while no worker has an engine that answers', async () => {
    await engine.away();
    const { stack, run } = await plane.triggerRun({}, { task: 'true' });
    await waitsFor(
      stack,
      run,
      /not able to take one \(The container engine at .*engine.sock does not answer/,
    );
    await engine.back();
    await plane.reached(stack, run, 'FINISHED');
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
  });

  describe.skipIf(!canMount())('DISK_FULL,', () => {
    async function onDisk<Result>(
      megabytes: number,
      use: (disk: string) => Promise<Result>,
      environment?: (disk: string) => Record<string, string>,
    ): Promise<Result> {
      const disk = await mkdtemp(join(folder, 'disk-'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${String(megabytes)}m`, 'none', disk]);
      try {
        const started = await plane.startLauncher({
          POOLWRIGHT_EXECUTOR: 'docker',
          SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage,
          ...(environment?.(disk) ?? { POOLWRIGHT_STATE_DIR: disk }),
        });
        await plane.idle(1);
        const result = await use(disk);
        started.process.kill('SIGTERM');
        expect(await started.ended).toBe(0);
        return result;
      } finally {
        execFileSync('umount', [disk]);
      }
    }

    it('when a step fills the disk', async () => {
      const failure = await onDisk(200, () =>
        failureOf('echo begun; dd if=/dev/zero of=large bs=1M count=300'),
      );
      expect(failure?.code).toBe('DISK_FULL');
      expect(failure?.message).toMatch(/Make room on/);
    });

    it('but waits, and says why, while no worker has room for it', async () => {
      await onDisk(64, async () => {
        const { stack, run } = await plane.triggerRun({}, { task: 'echo never' });
        await waitsFor(stack, run, /takes no run with less than 128 MB. Make room on its disk/);
      });
    });

    it('but waits also when it is the disk of the engine, which images that were pulled have left by then', async () => {
      const image = `${registry.host}/runners/pulled:1`;
      const there = () => docker('images', '--quiet', image) !== '';
      const ofEngine = (disk: string) => {
        engine.answer('/info', { DockerRootDir: disk });
        return { DOCKER_HOST: engine.host, SPACELIFT_DOCKER_CONFIG_DIR: folder };
      };
      await onDisk(
        2048,
        async (disk) => {
          expect(await failureOf('true', image)).toBeNull();
          expect(there()).toBe(true);
          const filling = join(disk, 'filling');
          execFileSync('fallocate', ['-l', '1984M', filling]);
          await until(() => !there(), 'the image to be removed', 20_000);
          const { stack, run } = await plane.triggerRun({}, { task: 'true' });
          await waitsFor(stack, run, new RegExp(`MB left for ${disk}, and takes no run`));
          await rm(filling);
          await plane.reached(stack, run, 'FINISHED');
        },
        ofEngine,
      );
    });
  });
});

function canMount(): boolean {
  const isRoot = process.getuid?.() === 0;
  return available(
    'full disks',
    containers && isRoot && hasProgram('unshare', '--mount', 'true'),
    'no right to mount',
  );
}
