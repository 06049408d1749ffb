// An executor of containers on the machine's engine, by way of a socket that a test disturbs.
import { execFileSync } from 'node:child_process';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../../../launcher/clock.js';
import { createDockerExecutor } from '../../../../launcher/executors/docker.js';
import type { Executor } from '../../../../launcher/executors/executor.js';
import type { ContainerSettings } from '../../../../launcher/settings/settings.js';
import { startEngineSocket, type EngineSocket } from '../../../support/engine-socket.js';
import { runnerImage } from '../../../support/runner-image.js';
import { temporaryFolder } from '../../../support/temporary.js';

export const containerSettings: ContainerSettings = {
  defaultImage: runnerImage,
  network: 'none',
  runtime: null,
  mounts: [],
  dockerConfigDirectory: null,
};

export interface Disturbed {
  readonly engine: EngineSocket;
  readonly executor: Executor;
  /** For `open` and `adopt`. */
  readonly request: Parameters<Executor['open']>[0];
  /** Ids of the life's containers, whatever the socket does; empty for none. */
  readonly containers: () => string;
  /** Called before the socket goes, when the test is over. */
  readonly onClose: (close: () => Promise<void>) => void;
}

/** `grace`: milliseconds between SIGTERM and SIGKILL; not given: the executor's own. */
export async function openDisturbed(grace?: number): Promise<Disturbed> {
  const folder = await temporaryFolder();
  await chmod(folder, 0o755);
  const engine = await startEngineSocket(join(folder, 'engine'));
  process.env['DOCKER_HOST'] = engine.host;
  const closing: (() => Promise<void>)[] = [];
  onTestFinished(async () => {
    for (const close of closing) await close();
    await engine.away();
    delete process.env['DOCKER_HOST'];
  });
  const life = { id: ulid(), folder: join(folder, 'life') };
  const workspace = join(life.folder, 'run.1', 'workspace');
  await mkdir(workspace, { recursive: true });
  return {
    engine,
    executor: createDockerExecutor({
      life,
      containers: containerSettings,
      clock: systemClock,
      dockerHost: engine.host,
      environment: process.env,
      userId: process.getuid?.(),
      ...(grace === undefined ? {} : { grace }),
    }),
    request: {
      ...{ run: ulid(), attempt: 1, workspace, image: runnerImage, readRun: true },
      onNotice: () => undefined,
      signal: new AbortController().signal,
    },
    containers() {
      const label = `label=poolwright.life=${life.id}`;
      return machineDocker('ps', '-aq', '--filter', label);
    },
    onClose: (close) => closing.push(close),
  };
}

/** The machine's engine, whatever the test's socket does. */
export function machineDocker(...words: string[]): string {
  const options = ['--host', 'unix:///var/run/docker.sock', ...words];
  return execFileSync('docker', options, { encoding: 'utf8' }).trim();
}
