// A launcher that is killed in the middle of a run, and one with the other executor after it: the run fails with the
// cause, and nothing of it goes on or stays.
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { markedProcesses } from '../../launcher/executors/host-processes.js';
import { rhythm } from '../../protocol/limits.js';
import { until } from '../launcher/support/until.js';
import { logOf, startControlPlane, type TestPlane } from '../support/control-plane.js';
import { startEngineSocket, type EngineSocket } from '../support/engine-socket.js';
import { hasRunnerImage, runnerImage } from '../support/runner-image.js';

/** The machine's engine by a socket at which nobody answers yet. */
async function engineAway(folder: string): Promise<EngineSocket> {
  const engine = await startEngineSocket(join(folder, 'engine.sock'));
  onTestFinished(() => engine.away());
  await engine.away();
  return engine;
}

describe.skipIf(!hasRunnerImage('launchers with another executor'))('a run', { timeout: 90_000 }, () => {
  let folder: string;
  let plane: TestPlane;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-changed-'));
    await chmod(folder, 0o755);
    plane = await startControlPlane(folder);
  }, 180_000);
  afterAll(async () => {
    await plane.close();
    await rm(folder, { recursive: true, force: true });
  });

  const containersOf = (life: string) =>
    execFileSync('docker', ['ps', '-aq', '--filter', `label=poolwright.life=${life}`], { encoding: 'utf8' });

  it.each([
    ['docker', 'host'],
    ['host', 'docker'],
    // No engine answers at first.
    ['docker', 'auto'],
    ['docker', 'docker'],
  ] as const)('that was begun by %s and is found by %s', async (first, second) => {
    const state = await mkdtemp(join(folder, 'state-'));
    const environment = (executor: string) => ({
      POOLWRIGHT_STATE_DIR: state,
      POOLWRIGHT_EXECUTOR: executor,
      SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage,
    });
    const killed = await plane.startLauncher(environment(first));
    await plane.idle(1);
    const [worker] = await plane.workers();
    const life = worker?.id ?? '';
    const { stack, run } = await plane.triggerRun({}, { task: 'echo begun; sleep 10; echo ended' });
    await until(
      async () => (await logOf(plane, stack, run, 'PERFORMING').catch(() => '')).includes('begun'),
      'the first line',
      20_000,
    );
    killed.process.kill('SIGKILL');
    await killed.ended;
    const engine = first === 'docker' && second !== 'host' ? await engineAway(state) : undefined;
    const next = await plane.startLauncher({
      ...environment(second),
      ...(engine === undefined ? {} : { DOCKER_HOST: engine.host }),
    });
    if (engine !== undefined) {
      await until(() => next.output().includes('Not able to take a run'), 'the word of the launcher', 20_000);
      expect(next.output()).toContain('is gone on with when the engine answers');
      // Longer than a worker may be out of contact: it is there, and has its run.
      await sleep(rhythm.lostAfter + 2000);
      expect((await plane.workers()).map(({ id, status }) => [id, status])).toEqual([[life, 'BUSY']]);
      await engine.back();
      expect((await plane.reached(stack, run, 'FAILED', 'FINISHED')).failure).toBeNull();
      expect(await logOf(plane, stack, run, 'PERFORMING')).toContain('ended');
    } else {
      const { failure } = await plane.reached(stack, run, 'FAILED', 'FINISHED');
      expect(failure).toMatchObject({
        code: 'RUN_INTERRUPTED',
        message: expect.stringContaining(`by "${second}" instead of "${first}"`) as string,
      });
    }
    expect(containersOf(life)).toBe('');
    expect(await markedProcesses(life)).toEqual([]);
    await plane.idle(1);
    next.process.kill('SIGTERM');
    expect(await next.ended).toBe(0);
    expect((await readdir(state)).filter((name) => name === life)).toEqual([]);
  });

  it('that nobody has is not waited for: without an engine such a launcher ends at once and says so', async () => {
    const state = await mkdtemp(join(folder, 'state-'));
    const launcher = await plane.startLauncher({
      POOLWRIGHT_STATE_DIR: state,
      POOLWRIGHT_EXECUTOR: 'docker',
      DOCKER_HOST: 'unix:///nowhere/engine.sock',
    });
    expect(await launcher.ended).toBe(1);
    expect(launcher.output()).toContain('ENGINE_UNAVAILABLE');
  });
});
