// Steps in a container: one container for a run, made from its image, each step an exec as UID 1983 in it.
import { chown, lchown, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type Docker from 'dockerode';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { sleep, type Clock } from '../clock.js';
import type { ContainerSettings } from '../settings/settings.js';
import { loadClient, pingEngine, statusOf, unavailable } from './docker-engine.js';
import { ensureImage } from './docker-image.js';
import { createFrameReader, runExec } from './docker-step.js';
import type { Executor, LauncherLife, RunWorld, WorldRequest } from './executor.js';

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
}

/** The user of run containers : images for this kind of pool expect it. */
const runUser = 1983;
const label = { life: 'poolwright.life', run: 'poolwright.run', attempt: 'poolwright.attempt' } as const;
const places = { workspace: '/mnt/workspace/source', home: '/mnt/workspace/home' } as const;
/** Waits, and does not mind SIGTERM, which steps get when a run is ended. */
const waitScript = "trap '' TERM; while :; do sleep 3600; done";

export function createDockerExecutor(options: DockerOptions): Executor {
  const { life, containers, clock, dockerHost, userId, grace = 10_000 } = options;
  let client: Promise<Docker> | undefined;
  const engine = () => (client ??= loadClient());
  const user = userId === undefined || userId === 0 ? runUser : userId;

  async function open(request: WorldRequest): Promise<RunWorld> {
    const { image, signal, onNotice } = request;
    const docker = await engine();
    try {
      await ensureImage(docker, {
        image,
        configDirectory: containers.dockerConfigDirectory,
        environment: options.environment,
        onNotice,
        signal,
        now: () => clock.monotonic(),
      });
      const home = join(dirname(request.workspace), 'home');
      await mkdir(home, { mode: 0o700 });
      if (userId === 0) await chown(home, user, user);
      const container = await docker.createContainer(specification(request, home));
      try {
        signal.throwIfAborted();
        await container.start();
      } catch (error) {
        await container.remove({ force: true });
        throw error;
      }
      return worldOf(docker, container, request, home);
    } catch (error) {
      signal.throwIfAborted();
      throw engineFault(error, image, dockerHost);
    }
  }

  function specification(request: WorldRequest, home: string): Docker.ContainerCreateOptions {
    const mounts = containers.mounts.filter(
      ({ runs }) => runs === 'all' || (runs === 'read') === request.readRun,
    );
    return {
      Image: request.image,
      Entrypoint: ['/bin/sh', '-c', waitScript],
      Cmd: [],
      User: `${String(user)}:${String(user)}`,
      WorkingDir: '/',
      Labels: { [label.life]: life.id, [label.run]: request.run, [label.attempt]: String(request.attempt) },
      StopSignal: 'SIGKILL',
      HostConfig: {
        Init: true,
        Binds: [
          `${request.workspace}:${places.workspace}`,
          `${home}:${places.home}`,
          ...mounts.map(({ hostPath, containerPath }) => `${hostPath}:${containerPath}`),
        ],
        NetworkMode: containers.network,
        SecurityOpt: ['no-new-privileges'],
        ...(containers.runtime === null ? {} : { Runtime: containers.runtime }),
      },
    };
  }

  function worldOf(
    docker: Docker,
    container: Docker.Container,
    request: WorldRequest,
    home: string,
  ): RunWorld {
    let handedOver = false;
    return {
      projectDirectory: places.workspace,
      async run(step, onOutput, stop) {
        stop.throwIfAborted();
        // The files were written by this process; from the first step on they are the run's.
        if (!handedOver && userId === 0) await giveTo(request.workspace, user);
        handedOver = true;
        const environment = { HOME: places.home, LANG: 'C.UTF-8', ...step.environment };
        try {
          return await runExec({
            docker,
            container,
            step: { ...step, environment },
            onOutput,
            stop,
            clock,
            grace,
          });
        } catch (error) {
          if (statusOf(error) === 409) throw await endedByItself(container, request.image, error);
          throw engineFault(error, request.image, dockerHost);
        }
      },
      async close() {
        await removeContainer(container, clock);
        await rm(home, { recursive: true, force: true });
      },
    };
  }

  return {
    kind: 'docker',
    check: () => pingEngine(dockerHost),
    open,
    async sweep(dead) {
      const docker = await engine();
      const found = await docker.listContainers({ all: true, filters: { label: [label.life] } });
      const ids = new Set(dead.map(({ id }) => id));
      const left = found.filter(({ Labels }) => ids.has(Labels[label.life] ?? ''));
      for (const { Id } of left) await removeContainer(docker.getContainer(Id), clock);
      return left.length;
    },
  };
}

/** Removing one that is gone or is just being removed is no fault. */
async function removeContainer(container: Docker.Container, clock: Clock): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await container.remove({ force: true, v: true });
      return;
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) return;
      if (status !== 409 || tries === 5) throw error;
      await sleep(clock, 200);
    }
  }
}

/** An image whose shell does not start, or a container that somebody else ended. */
async function endedByItself(container: Docker.Container, image: string, cause: unknown): Promise<Error> {
  const { State } = await container.inspect();
  const logs = await container.logs({ stdout: true, stderr: true, tail: 5 });
  const parts: Uint8Array[] = [];
  createFrameReader((bytes) => parts.push(bytes))(logs);
  const words = Buffer.concat(parts).toString('utf8').trim();
  return new PoolwrightError(
    'IMAGE_UNAVAILABLE',
    `The container of the image ${image} ended by itself (exit code ${String(State.ExitCode)}${words === '' ? '' : `: ${words}`}). ` +
      'Expected an image with a working /bin/sh, and nobody who removes containers of runs.',
    { cause },
  );
}

async function giveTo(path: string, user: number): Promise<void> {
  await lchown(path, user, user);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) await giveTo(below, user);
    else await lchown(below, user, user);
  }
}

function engineFault(error: unknown, image: string, host: string | undefined): Error {
  if (error instanceof PoolwrightError) return error;
  const status = statusOf(error);
  if (status === undefined) return unavailable(host, error);
  const text = messageOf(error);
  if (/exec:? "?\/bin\/sh|no such file or directory/.test(text)) {
    return new PoolwrightError(
      'IMAGE_UNAVAILABLE',
      `The runner image ${image} cannot be used: it has no /bin/sh.`,
      {
        cause: error,
      },
    );
  }
  return new PoolwrightError(
    'ENGINE_UNAVAILABLE',
    `The container engine refused (HTTP ${String(status)}): ${text}`,
    {
      cause: error,
    },
  );
}
