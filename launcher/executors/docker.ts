// Steps in a container: one container for a run, made from its image, each step an exec in it, as UID 1983 or as the launcher's own user.
import { chown, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type Docker from 'dockerode';
import { PoolwrightError } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';
import { freeBytes } from '../free-bytes.js';
import type { ContainerSettings } from '../settings/settings.js';
import {
  containersOf,
  containersOfLives,
  giveTo,
  homeOf,
  outputsOf,
  removeContainer,
  specification,
  userOfRuns,
} from './docker-container.js';
import { loadClient, patiently, pingEngine, statusOf } from './docker-engine.js';
import { containerGone, endedBy, engineFault, interrupted } from './docker-faults.js';
import { ensureImage } from './docker-image.js';
import { assertOffered } from './docker-offers.js';
import { places } from './docker-places.js';
import { createPulledImages } from './pulled-images.js';
import { runExec } from './docker-step.js';
import { createEngineRoot } from './engine-root.js';
import type { Executor, LauncherLife, RunWorld, WorldRequest } from './executor.js';
import { endTraced } from './host-processes.js';
import { createShortage } from './shortage.js';
import { kernelKills, type Kills } from './step-end.js';
import { forgetStep, wasBegun } from './step-output.js';

export interface DockerOptions {
  readonly life: LauncherLife;
  readonly containers: ContainerSettings;
  readonly clock: Clock;
  /** Value of DOCKER_HOST. */
  readonly dockerHost: string | undefined;
  /** Of this process, for helpers that know the credentials of registries. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Of this process; undefined where there are no users. */
  readonly userId: number | undefined;
  /** Milliseconds between SIGTERM and SIGKILL. Default 10 s. */
  readonly grace?: number;
  /** Milliseconds that the engine may be away under a run, as for a restart. Default 60 s. */
  readonly outage?: number;
  /** Default: the kernel's. */
  readonly kills?: Kills;
}

export function createDockerExecutor(options: DockerOptions): Executor {
  const { life, containers, clock, dockerHost, userId } = options;
  const { grace = 10_000, outage = 60_000, kills = kernelKills } = options;
  let client: Promise<Docker> | undefined;
  const engine = () => (client ??= loadClient());
  const pulled = createPulledImages(join(dirname(life.folder), 'images'), () => clock.now());
  const engineRoot = createEngineRoot(dockerHost);
  const shortage = createShortage(clock, async () => {
    const root = await engineRoot();
    return root === undefined ? undefined : freeBytes(root);
  });
  const user = userOfRuns(userId);

  /**
   * Runs whose containers could not be removed, or may have been made though the engine did not get to say so: no other
   * run comes before they are gone.
   */
  const left = new Map<string, WorldRequest>();

  async function removeLeft(docker: Docker): Promise<void> {
    for (const [key, request] of left) {
      for (const id of await containersOf(docker, life, request))
        await removeContainer(docker.getContainer(id), clock);
      left.delete(key);
    }
  }

  async function open(request: WorldRequest): Promise<RunWorld> {
    const { image, signal, onNotice } = request;
    const docker = await engine();
    let mayBeThere = false;
    try {
      await removeLeft(docker);
      await ensureImage(docker, {
        image,
        pulled,
        configDirectory: containers.dockerConfigDirectory,
        environment: options.environment,
        onNotice,
        signal,
        now: () => clock.monotonic(),
      });
      for (const folder of [homeOf(request), outputsOf(request)]) {
        await mkdir(folder, { mode: 0o700 });
        if (userId === 0) await chown(folder, user, user);
      }
      mayBeThere = true;
      const container = await docker.createContainer(specification(life, request, { containers, user }));
      signal.throwIfAborted();
      await container.start();
      return worldOf(docker, container, request, false);
    } catch (error) {
      if (mayBeThere) {
        left.set(keyOf(request), request);
        // With an engine that is away it is done later: by `check`, or before the next run.
        await removeLeft(docker).catch(() => undefined);
      }
      signal.throwIfAborted();
      const fault = engineFault(error, image, dockerHost);
      if (fault instanceof PoolwrightError && fault.code === 'DISK_FULL') await shortage.note(fault);
      throw fault;
    }
  }

  async function adopt(request: WorldRequest): Promise<RunWorld> {
    try {
      const docker = await engine();
      const [id] = await patiently(clock, outage, () => containersOf(docker, life, request));
      if (id === undefined) throw interrupted('its container is not there any more');
      const container = docker.getContainer(id);
      const { State } = await patiently(clock, outage, () => container.inspect());
      if (!State.Running) {
        await removeContainer(container, clock);
        throw interrupted(
          `its container has ended meanwhile (exit code ${String(State.ExitCode)}), as it does when the engine or ` +
            'the machine is started again',
        );
      }
      return worldOf(docker, container, request, true);
    } catch (error) {
      throw engineFault(error, request.image, dockerHost);
    }
  }

  function worldOf(
    docker: Docker,
    container: Docker.Container,
    request: WorldRequest,
    adopted: boolean,
  ): RunWorld {
    let handedOver = adopted;
    /** A step that has waited for an engine in vain has waited for the rest, too. */
    let patience = outage;
    const outputs = { here: outputsOf(request), there: places.outputs };
    const gone = () => containerGone(container, { image: request.image, clock, outage });
    const causeOf = async (error: unknown) =>
      (await endedBy(error, container, clock)) ? await gone() : error;
    return {
      projectDirectory: places.workspace,
      user: { id: user, of: 'image' },
      async run(step, sink, stop) {
        if (!(await wasBegun(outputs.here, step.number))) stop.throwIfAborted();
        // The files were written by this process; from the first step on they are the run's.
        if (!handedOver && userId === 0) await giveTo(request.workspace, user);
        handedOver = true;
        const environment = { HOME: places.home, LANG: 'C.UTF-8', ...step.environment };
        try {
          const end = await runExec({
            docker,
            container,
            step: { ...step, environment },
            sink,
            outputs,
            stop,
            clock,
            kills,
            grace,
            outage,
          });
          if (end.cause === 'vanished' || end.cause === 'not-begun') throw await gone();
          return end;
        } catch (error) {
          const fault = await causeOf(error).catch((unknown: unknown) => unknown);
          if (!(fault instanceof PoolwrightError) && statusOf(fault) === undefined) patience = 0;
          throw engineFault(fault, request.image, dockerHost);
        }
      },
      forget: (step) => forgetStep(outputs.here, step),
      async close() {
        try {
          await patiently(clock, patience, () => removeContainer(container, clock));
          left.delete(keyOf(request));
        } catch (error) {
          left.set(keyOf(request), request);
          throw engineFault(error, request.image, dockerHost);
        }
        for (const folder of [homeOf(request), outputs.here])
          await rm(folder, { recursive: true, force: true });
      },
    };
  }

  return {
    kind: 'docker',
    async check() {
      await pingEngine(dockerHost);
      await assertOffered(dockerHost, containers);
      if (left.size > 0) await removeLeft(await engine());
      await shortage.check();
    },
    open,
    adopt,
    async stores() {
      const root = await engineRoot();
      return root === undefined ? [] : [root];
    },
    makeRoom: async (enough) => pulled.remove(await engine(), enough),
    async sweep(dead) {
      // What fetches the files of a run is a process of this machine.
      for (const { id } of dead) await endTraced({ prefix: `${id}.`, groups: [] }, clock, 0);
      const docker = await engine();
      const theirs = await containersOfLives(docker, dead);
      for (const id of theirs) await removeContainer(docker.getContainer(id), clock);
      return theirs.length;
    },
  };
}

function keyOf({ run, attempt }: WorldRequest): string {
  return `${run}.${String(attempt)}`;
}
