// A Git server or a registry that hangs: the launcher's own limits end the run, with its cause, and the worker takes the next.
import { mkdtemp, rm, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startControlPlane, type TestPlane } from '../support/control-plane.js';
import { hasRunnerImage, runnerImage } from '../support/runner-image.js';
import { hangingGitServer, hangingServer } from './support/hanging-git.js';
import { until } from '../launcher/support/until.js';

describe('a run whose preparation hangs', { timeout: 60_000 }, () => {
  let folder: string;
  let plane: TestPlane;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolwright-hang-'));
    await chmod(folder, 0o755);
    plane = await startControlPlane(folder);
  });
  afterAll(async () => {
    await plane.close();
    await rm(folder, { recursive: true });
  });

  async function withLauncher(environment: Record<string, string>, use: () => Promise<void>): Promise<void> {
    const launcher = await plane.startLauncher(environment);
    await plane.idle(1);
    await use();
    const { stack, run } = await plane.triggerRun({}, { task: 'true' });
    expect((await plane.reached(stack, run, 'FINISHED', 'FAILED')).state).toBe('FINISHED');
    launcher.process.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
  }

  it('at a Git server fails by SPACELIFT_LAUNCHER_LOGS_TIMEOUT', async () => {
    const hanging = await hangingGitServer();
    await withLauncher({ SPACELIFT_LAUNCHER_LOGS_TIMEOUT: '2s' }, async () => {
      const { stack, run } = await plane.triggerRun({ repository: hanging.repository });
      const done = await plane.reached(stack, run, 'FAILED');
      expect(done).toMatchObject({
        attempt: 1,
        failure: {
          code: 'RUN_SILENT',
          message:
            'The run was ended in PREPARING because it printed nothing for 2 seconds, the logs timeout of this ' +
            'launcher (SPACELIFT_LAUNCHER_LOGS_TIMEOUT).',
        },
      });
      expect(hanging.connections()).toBeGreaterThan(0);
    });
    hanging.close();
  });

  it.skipIf(!hasRunnerImage('a registry that hangs'))(
    'at a registry fails by SPACELIFT_LAUNCHER_RUN_TIMEOUT',
    async () => {
      const hanging = await hangingServer();
      const limits = { SPACELIFT_LAUNCHER_RUN_TIMEOUT: '3s' };
      const containers = { POOLWRIGHT_EXECUTOR: 'docker', SPACELIFT_DEFAULT_RUNNER_IMAGE: runnerImage };
      await withLauncher({ ...limits, ...containers }, async () => {
        const { stack, run } = await plane.triggerRun({
          runnerImage: `127.0.0.1:${String(hanging.port)}/x:1`,
        });
        await until(() => hanging.connections() > 0, 'the engine to ask the registry', 20_000);
        const done = await plane.reached(stack, run, 'FAILED');
        expect(done).toMatchObject({
          attempt: 1,
          failure: {
            code: 'RUN_TIMED_OUT',
            message: expect.stringContaining('ended in PREPARING after 3 seconds') as string,
          },
        });
      });
      hanging.close();
    },
  );
});
