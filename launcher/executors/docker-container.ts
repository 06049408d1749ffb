// The container of a run: what it is made of, how it is found again, and how it is removed.
import { lchown, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type Docker from 'dockerode';
import { sleep, type Clock } from '../clock.js';
import type { ContainerSettings } from '../settings/settings.js';
import { statusOf } from './docker-engine.js';
import { places } from './docker-places.js';
import type { LauncherLife, WorldRequest } from './executor.js';

/** The user of run containers: images for this kind of pool expect it. */
export const runUser = 1983;

/**
 * The UID, and GID, of a launcher's run containers. Files of a run have to be its user's to write and the launcher's to
 * remove, and only root gives files to others: as any other user both have to be the launcher itself. `userId`: of the
 * launcher, undefined where there are no users.
 */
export function userOfRuns(userId: number | undefined): number {
  return userId === undefined || userId === 0 ? runUser : userId;
}

/** What users have to know of it; undefined when it is the one that they expect. */
export function userNotice(userId: number | undefined): string | undefined {
  const user = userOfRuns(userId);
  if (user === runUser) return undefined;
  return (
    `Runs are executed as UID ${String(user)}, the launcher's own, instead of UID ${String(runUser)}: it is not root, ` +
    `so it cannot give their files to another user. Run the launcher as root or as UID ${String(runUser)} if runner ` +
    `images, or what is mounted into runs, need UID ${String(runUser)}.`
  );
}

const label = { life: 'poolwright.life', run: 'poolwright.run', attempt: 'poolwright.attempt' } as const;

/** Waits, and does not mind SIGTERM, which steps get when a run is ended. */
const waitScript = `trap '' TERM
for name in dd sleep; do
  command -v "$name" >/dev/null || { echo "$name is not in the image" >&2; exit 1; }
done
while :; do sleep 3600; done`;

/** `user`: number of the user, and of its group, that steps run as. */
export function specification(
  life: LauncherLife,
  request: WorldRequest,
  { containers, user }: { readonly containers: ContainerSettings; readonly user: number },
): Docker.ContainerCreateOptions {
  const mounts = containers.mounts.filter(
    ({ runs }) => runs === 'all' || (runs === 'read') === request.readRun,
  );
  return {
    Image: request.image,
    Entrypoint: ['/bin/sh', '-c', waitScript],
    Cmd: [],
    User: `${String(user)}:${String(user)}`,
    WorkingDir: '/',
    Labels: labelsOf(life, request),
    StopSignal: 'SIGKILL',
    HostConfig: {
      Init: true,
      Binds: [
        `${request.workspace}:${places.workspace}`,
        `${homeOf(request)}:${places.home}`,
        `${outputsOf(request)}:${places.outputs}`,
        ...mounts.map(({ hostPath, containerPath }) => `${hostPath}:${containerPath}`),
      ],
      NetworkMode: containers.network,
      SecurityOpt: ['no-new-privileges'],
      ...(containers.runtime === null ? {} : { Runtime: containers.runtime }),
    },
  };
}

/** Ids of a run's containers, of which there is one at most unless an answer got lost; also of those that have ended. */
export async function containersOf(
  docker: Docker,
  life: LauncherLife,
  request: WorldRequest,
): Promise<string[]> {
  const labels = Object.entries(labelsOf(life, request)).map(([name, value]) => `${name}=${value}`);
  const found = await docker.listContainers({ all: true, filters: { label: labels } });
  return found.map(({ Id }) => Id);
}

/** Ids of all containers of some lives. */
export async function containersOfLives(docker: Docker, lives: readonly LauncherLife[]): Promise<string[]> {
  const ids = new Set(lives.map(({ id }) => id));
  const found = await docker.listContainers({ all: true, filters: { label: [label.life] } });
  return found.filter(({ Labels }) => ids.has(Labels[label.life] ?? '')).map(({ Id }) => Id);
}

function labelsOf({ id }: LauncherLife, { run, attempt }: WorldRequest): Record<string, string> {
  return { [label.life]: id, [label.run]: run, [label.attempt]: String(attempt) };
}

export function homeOf({ workspace }: WorldRequest): string {
  return join(dirname(workspace), 'home');
}

export function outputsOf({ workspace }: WorldRequest): string {
  return join(dirname(workspace), 'output');
}

/** Removing one that is gone or is just being removed is no fault. */
export async function removeContainer(container: Docker.Container, clock: Clock): Promise<void> {
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

/** All that is in the folder, and itself. */
export async function giveTo(path: string, user: number): Promise<void> {
  await lchown(path, user, user);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) await giveTo(below, user);
    else await lchown(below, user, user);
  }
}
