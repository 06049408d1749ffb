// An engine that refuses for a moment, as while a container is just ending: no run fails by that, and none hangs.
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../launcher/clock.js';
import { createDockerExecutor } from '../../../launcher/executors/docker.js';
import type { RunWorld, StepEnd } from '../../../launcher/executors/executor.js';
import { startEngineSocket, type EngineSocket } from '../../support/engine-socket.js';
import { hasRunnerImage, runnerImage } from '../../support/runner-image.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../support/until.js';

interface BegunStep {
  readonly end: Promise<StepEnd>;
  readonly output: () => string;
  readonly stop: () => void;
}

interface Opened {
  readonly engine: EngineSocket;
  /** As the next launcher goes on with the run. */
  readonly adopt: () => Promise<RunWorld>;
  /** Id of the container. */
  readonly container: () => string;
  readonly step: (number: number, script: string) => BegunStep;
}

/** A container; `grace` in milliseconds. */
async function open(grace: number): Promise<Opened> {
  const folder = await temporaryFolder();
  const engine = await startEngineSocket(join(folder, 'engine'));
  process.env['DOCKER_HOST'] = engine.host;
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
    grace,
  });
  const request = { run: ulid(), attempt: 1, workspace, image: runnerImage, readRun: true };
  const signal = new AbortController().signal;
  const whole = { ...request, onNotice: () => undefined, signal };
  const world = await executor.open(whole);
  onTestFinished(async () => {
    await world.close();
    await engine.away();
    delete process.env['DOCKER_HOST'];
  });
  return {
    engine,
    adopt: () => executor.adopt(whole),
    container: () => docker('ps', '-aq', '--filter', `label=poolwright.life=${life.id}`),
    step(number, script) {
      const stop = new AbortController();
      const parts: Buffer[] = [];
      const sink = {
        from: { segment: 1, offset: 0 },
        output: (bytes: Uint8Array) => parts.push(Buffer.from(bytes)),
        settled: () => Promise.resolve(),
        needed: () => 1,
      };
      const workingDirectory = world.projectDirectory;
      const end = world.run(
        { number, name: 'refused', script, environment: {}, workingDirectory },
        sink,
        stop.signal,
      );
      end.catch(() => undefined);
      return {
        end,
        output: () => Buffer.concat(parts).toString('utf8'),
        stop: () => {
          stop.abort(new Error('stop'));
        },
      };
    },
  };
}

/** The machine's engine, whatever the test's socket does. */
function docker(...words: string[]): string {
  const options = ['--host', 'unix:///var/run/docker.sock', ...words];
  return execFileSync('docker', options, { encoding: 'utf8' }).trim();
}

describe.skipIf(!hasRunnerImage('an engine that refuses for a moment'))('an engine that refuses', () => {
  it('to say whether a step still runs does not end it', async () => {
    const { engine, step } = await open(300);
    const { end, output } = step(1, 'echo begun; sleep 3; echo done');
    await until(() => output() !== '', 'the step to begin');
    engine.refuse('GET /exec/', 500, 'container not running');
    expect(await end).toEqual({ exitCode: 0, signal: null, cause: 'exit' });
    expect(output()).toBe('begun\ndone\n');
  });

  it('to start one more process in the container does not keep its step from being ended', async () => {
    const { engine, step } = await open(300);
    const { end, output, stop } = step(1, 'echo begun; sleep 300');
    await until(() => output() !== '', 'the step to begin');
    engine.refuse('POST /containers/', 500, 'fork: resource temporarily unavailable');
    stop();
    expect(await end).toMatchObject({ cause: 'killed' });
  });

  it('to answer at all, while a run is gone on with, is waited for', async () => {
    const { engine, adopt } = await open(300);
    await engine.away();
    const adopted = adopt();
    await new Promise((resolve) => setTimeout(resolve, 700));
    await engine.back();
    await expect(adopted).resolves.toHaveProperty('projectDirectory');
  });

  it('because the container has ended fails the run by that, and not by the engine', async () => {
    const { engine, container, step } = await open(300);
    await step(1, 'true').end;
    docker('kill', container());
    engine.refuse('POST /containers/', 500, 'container not running');
    await expect(step(2, 'true').end).rejects.toMatchObject({
      code: 'RUN_INTERRUPTED',
      message: expect.stringContaining('exit code 137') as string,
    });
  });
});
