// A launcher that is killed in the middle of a run, and one with the other executor after it: the run fails with the
// cause, and nothing of it goes on or stays.
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { markedProcesses } from '../../launcher/executors/host-processes.js';
import { until } from '../launcher/support/until.js';
import { logOf, startControlPlane, type TestPlane } from '../support/control-plane.js';
import { hasRunnerImage, runnerImage } from '../support/runner-image.js';

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
    ['docker', 'host', {}],
    ['host', 'docker', {}],
    // No engine answers at first: then nothing is done by halves.
    ['docker', 'auto', { DOCKER_HOST: 'unix:///nowhere/engine.sock' }],
  ] as const)('that was begun by %s and is found by %s', async (first, second, without) => {
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
    let next = await plane.startLauncher({ ...environment(second), ...without });
    if (second === 'auto') {
      expect(await next.ended).toBe(1);
      expect(next.output()).toContain('ENGINE_UNAVAILABLE');
      next = await plane.startLauncher(environment(second));
      expect((await plane.reached(stack, run, 'FAILED', 'FINISHED')).failure).toBeNull();
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
});
