// An engine that refuses for a moment, as while a container is just ending: no run fails by that, and none hangs.
import { describe, expect, it } from 'vitest';
import type { RunWorld, StepEnd } from '../../../launcher/executors/executor.js';
import type { EngineSocket } from '../../support/engine-socket.js';
import { hasRunnerImage } from '../../support/runner-image.js';
import { until } from '../support/until.js';
import { machineDocker, openDisturbed } from './support/containers.js';

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
  const { engine, executor, request, containers, onClose } = await openDisturbed(grace);
  const world = await executor.open(request);
  onClose(() => world.close());
  return {
    engine,
    adopt: () => executor.adopt(request),
    container: containers,
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
    machineDocker('kill', container());
    engine.refuse('POST /containers/', 500, 'container not running');
    await expect(step(2, 'true').end).rejects.toMatchObject({
      code: 'RUN_INTERRUPTED',
      message: expect.stringContaining('exit code 137') as string,
    });
  });

  it('and ends itself is asked again when it is back, what became of the container', async () => {
    const { engine, container, step } = await open(300);
    await step(1, 'true').end;
    const id = container();
    machineDocker('kill', id);
    engine.loseAnswerTo('GET /containers/');
    const { end } = step(2, 'true');
    await new Promise((resolve) => setTimeout(resolve, 700));
    await engine.back();
    await expect(end).rejects.toMatchObject({
      code: 'RUN_INTERRUPTED',
      message: expect.stringContaining('exit code 137') as string,
    });
  });
});
