// A container engine of the fleet's own: killed and started again, it takes nothing of the machine's engine with it.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { hasProgram } from '../../support/skips.js';
import { makeRunnerImage } from '../../support/runner-image.js';
import { eventually } from './patience.js';

export interface Engine {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** Starts it and waits until it answers. */
  start(): Promise<void>;
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Whether containers go on when it ends (live-restore); from now on. */
  keepContainers(keeps: boolean): Promise<void>;
  /** Ids of containers, running or not: of this worker, or all. */
  containers(worker?: string): Promise<string[]>;
  /** Removes containers with all that runs in them. */
  remove(ids: readonly string[]): Promise<void>;
  /** Ends it and everything in it. */
  close(): Promise<void>;
}

export const engineIsThere = () => hasProgram('dockerd', '--version') && hasProgram('docker', '--version');

/** Starts one whose files are below `folder`, with the runner image in it. */
export async function startEngine(folder: string): Promise<Engine> {
  await mkdir(folder);
  const socketPath = join(folder, 'socket');
  const host = `unix://${socketPath}`;
  const configuration = join(folder, 'daemon.json');
  const client = new Docker({ socketPath });
  const containerdSocket = join(folder, 'containerd.sock');
  let daemon: ChildProcess | undefined;
  const running = () => daemon !== undefined && daemon.exitCode === null && daemon.signalCode === null;
  const configure = (keeps: boolean) => writeFile(configuration, JSON.stringify({ 'live-restore': keeps }));

  /** As on most machines a service beside dockerd, and not its child: it is not what is killed. */
  const containerd = await startContainerd(folder, containerdSocket);

  async function start(): Promise<void> {
    daemon = launch(folder, 'unshare', [
      // A network of its own: an engine without a bridge removes that of the machine's engine.
      ...['--net', 'dockerd'],
      ...['--containerd', containerdSocket],
      ...['--config-file', configuration, '--host', host, '--pidfile', join(folder, 'pid')],
      ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'run')],
      // Runs have no network: none is made, and the machine's rules are not touched.
      ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false'],
    ]);
    await eventually(
      async () => {
        if (!running())
          throw new Error(
            `The engine ended by itself: ${(await readFile(join(folder, 'unshare.log'), 'utf8')).slice(-2_000)}`,
          );
        return client.ping().then(
          () => true,
          () => false,
        );
      },
      () => `the engine to answer; its log is in ${folder}`,
    );
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (daemon === undefined || !running()) return;
    const gone = once(daemon, 'exit');
    daemon.kill(signal);
    await gone;
  }

  async function containers(worker?: string): Promise<string[]> {
    const filters = worker === undefined ? {} : { label: [`poolwright.life=${worker}`] };
    return (await client.listContainers({ all: true, filters })).map(({ Id }) => Id);
  }

  async function remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) await client.getContainer(id).remove({ force: true, v: true }).catch(unlessGone);
  }

  await configure(false);
  await start();
  makeRunnerImage(host);
  return {
    host,
    start,
    end,
    async keepContainers(keeps) {
      await configure(keeps);
      daemon?.kill('SIGHUP');
      await eventually(
        async () => ((await client.info()) as { LiveRestoreEnabled?: boolean }).LiveRestoreEnabled === keeps,
        () => 'the engine to read its configuration again',
      );
    },
    containers,
    remove,
    async close() {
      if (!running()) await start();
      await remove(await containers());
      await end('SIGTERM');
      containerd.kill('SIGTERM');
      if (containerd.exitCode === null && containerd.signalCode === null) await once(containerd, 'exit');
      for (const path of await mountsBelow(folder)) execFileSync('umount', ['--lazy', path]);
    },
  };
}

/** Processes of a container, as this machine numbers them. */
export async function processesOfContainer(id: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const groups = await readFile(`/proc/${name}/cgroup`, 'utf8').catch(() => '');
    if (groups.includes(id)) found.push(Number(name));
  }
  return found;
}

function unlessGone(error: unknown): void {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  // Removed meanwhile, or being removed.
  if (status !== 404 && status !== 409) throw error;
}

/** What it says goes into a file: what outlives it would hold a pipe open. */
function launch(folder: string, command: string, words: readonly string[]): ChildProcess {
  const log = openSync(join(folder, `${command}.log`), 'a');
  const child = spawn(command, words, { stdio: ['ignore', log, log] });
  closeSync(log);
  return child;
}

async function startContainerd(folder: string, socket: string): Promise<ChildProcess> {
  const configuration = join(folder, 'containerd.toml');
  await writeFile(configuration, 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n');
  const child = launch(folder, 'containerd', [
    ...['--config', configuration, '--address', socket],
    ...['--root', join(folder, 'containerd'), '--state', join(folder, 'containerd-run')],
  ]);
  await eventually(
    () => existsSync(socket),
    () => `containerd; its log is in ${folder}`,
  );
  return child;
}

/** The innermost first. */
async function mountsBelow(folder: string): Promise<string[]> {
  const table = await readFile('/proc/self/mounts', 'utf8');
  return table
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
    .reverse();
}
