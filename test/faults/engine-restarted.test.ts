// The container engine is started again under a run. Where the engine keeps containers alive meanwhile, the run goes on;
// where it does not, the run fails and says so. No container is left in either case.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../launcher/support/until.js';
import { logOf, startControlPlane, type TestLauncher, type TestPlane } from '../support/control-plane.js';
import { hasOwnEngine, startOwnEngine, type OwnEngine } from '../support/own-engine.js';
import { hasRunnerImage, runnerImage } from '../support/runner-image.js';

const there =
  hasRunnerImage('engines that are started again') && hasOwnEngine('engines that are started again');

describe.skipIf(!there).each([true, false])('an engine with live restore: %s', (liveRestore) => {
  let folder: string;
  let plane: TestPlane;
  let engine: OwnEngine;
  let launcher: TestLauncher;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pw-engine-'));
    await chmod(folder, 0o755);
    [plane, engine] = await Promise.all([
      startControlPlane(folder),
      startOwnEngine(join(folder, 'engine'), { liveRestore }),
    ]);
    launcher = await plane.startLauncher({
      POOLWRIGHT_EXECUTOR: 'docker',
      DOCKER_HOST: engine.host,
      SPACELIFT_WORKER_NETWORK: 'none',
      SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage,
    });
    await plane.idle(1);
  }, 120_000);
  afterAll(async () => {
    launcher.process.kill('SIGTERM');
    await launcher.ended;
    await engine.close();
    await plane.close();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  /** A run that has printed its first line, and is told to go on by `done`. */
  async function begin() {
    const lines = 'i=0; while [ $i -lt 60 ]; do echo "line $i"; i=$((i+1)); sleep 0.1; done; echo finished';
    const { stack, run } = await plane.triggerRun({}, { task: lines });
    const log = () => logOf(plane, stack, run, 'PERFORMING').catch(() => '');
    await until(async () => (await log()).includes('line 3'), 'the first lines', 60_000);
    return { stack, run, log };
  }

  const ends = liveRestore ? (['SIGTERM', 'SIGKILL'] as const) : (['SIGTERM'] as const);

  it.each(ends)('ends by %s and is started again', { timeout: 120_000 }, async (signal) => {
    const { stack, run, log } = await begin();
    await engine.end(signal);
    await engine.start();
    const { state, failure } = await plane.reached(stack, run, 'FINISHED', 'FAILED');
    if (liveRestore) {
      expect({ state, failure }).toEqual({ state: 'FINISHED', failure: null });
      const lines = (await log()).match(/^line \d+$/gm);
      expect(lines).toEqual(Array.from({ length: 60 }, (_, number) => `line ${String(number)}`));
    } else {
      expect(state).toBe('FAILED');
      expect(failure).toMatchObject({
        code: 'RUN_INTERRUPTED',
        message: expect.stringContaining('by a start of the engine') as string,
      });
    }
    // It says so when it has seen that the engine is back.
    await plane.idle(1);
    expect(engine.containers()).toEqual([]);
  });
});
