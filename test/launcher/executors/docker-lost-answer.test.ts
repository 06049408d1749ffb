// An engine that ends between what it did and what it says: nothing that it made is left.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../launcher/clock.js';
import { createDockerExecutor } from '../../../launcher/executors/docker.js';
import { startEngineSocket } from '../../support/engine-socket.js';
import { hasRunnerImage, runnerImage } from '../../support/runner-image.js';
import { temporaryFolder } from '../../support/temporary.js';

describe.skipIf(!hasRunnerImage('an engine whose answer is lost'))(
  'a container whose making is not answered',
  () => {
    it('is removed once the engine is there again', async () => {
      const folder = await temporaryFolder();
      await chmod(folder, 0o755);
      const engine = await startEngineSocket(join(folder, 'engine'));
      onTestFinished(() => engine.away());
      process.env['DOCKER_HOST'] = engine.host;
      onTestFinished(() => {
        delete process.env['DOCKER_HOST'];
      });
      const life = { id: ulid(), folder: join(folder, 'life') };
      const workspace = join(life.folder, 'run.1', 'workspace');
      await mkdir(workspace, { recursive: true });
      const executor = createDockerExecutor({
        life,
        containers: {
          defaultImage: runnerImage,
          network: 'none',
          runtime: null,
          mounts: [],
          dockerConfigDirectory: null,
        },
        clock: systemClock,
        dockerHost: engine.host,
        environment: process.env,
        userId: process.getuid?.(),
      });
      const containers = () =>
        execFileSync(
          'docker',
          [
            '--host',
            'unix:///var/run/docker.sock',
            'ps',
            '-aq',
            '--filter',
            `label=poolwright.life=${life.id}`,
          ],
          { encoding: 'utf8' },
        ).trim();

      engine.loseAnswerTo('/containers/create');
      const opened = executor.open({
        run: ulid(),
        attempt: 1,
        workspace,
        image: runnerImage,
        readRun: true,
        onNotice: () => undefined,
        signal: new AbortController().signal,
      });
      await expect(opened).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
      expect(containers()).not.toBe('');
      await engine.back();
      // As the launcher asks now and then whether it can take runs.
      await executor.check();
      expect(containers()).toBe('');
    });
  },
);
