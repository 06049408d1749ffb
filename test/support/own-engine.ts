// A container engine of a test's own, which may be ended and started again: own data, own socket, and a network namespace
// of its own, since an engine without a bridge removes the one of the machine's engine.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../launcher/support/until.js';
import { runnerImage } from './runner-image.js';
import { available } from './skips.js';

export interface OwnEngine {
  /** For DOCKER_HOST. */
  readonly host: string;
  start(): Promise<void>;
  /** Resolves when it is gone. Containers go with it unless it restores live ones, or is killed. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Ids of all containers. */
  containers(): string[];
  /** Removes all of it. */
  close(): Promise<void>;
}

export function hasOwnEngine(what: string): boolean {
  const there = process.getuid?.() === 0 && ['/usr/sbin/dockerd', '/usr/bin/dockerd'].some(existsSync);
  return available(what, there, 'no dockerd that could be started (Debian: docker.io, as root)');
}

/** Starts one that has the runner image. `folder` is an absolute path that is not there yet, and short: it holds a socket. */
export async function startOwnEngine(
  folder: string,
  { liveRestore }: { readonly liveRestore: boolean },
): Promise<OwnEngine> {
  await mkdir(folder);
  const host = `unix://${join(folder, 'engine.sock')}`;
  const environment = { ...process.env, DOCKER_HOST: host };
  const containerd = join(folder, 'exec', 'containerd', 'containerd.pid');
  const log = createWriteStream(join(folder, 'engine.log'));
  let engine: ChildProcess | undefined;

  const docker = (...words: string[]) =>
    execFileSync('docker', words, {
      env: environment,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });

  const containers = () => docker('ps', '-aq').split('\n').filter(Boolean);

  function answers(): boolean {
    try {
      docker('version');
      return true;
    } catch {
      return false;
    }
  }

  async function start(): Promise<void> {
    // A killed one leaves its own behind.
    await rm(join(folder, 'engine.pid'), { force: true });
    const options = [
      `--data-root=${join(folder, 'data')}`,
      `--exec-root=${join(folder, 'exec')}`,
      `--pidfile=${join(folder, 'engine.pid')}`,
      `--host=${host}`,
      '--bridge=none',
      '--iptables=false',
      ...(liveRestore ? ['--live-restore'] : []),
    ];
    const started = spawn('unshare', ['--net', 'dockerd', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
    started.stdout.pipe(log, { end: false });
    started.stderr.pipe(log, { end: false });
    engine = started;
    await until(answers, 'the engine to answer', 60_000).catch(async (error: unknown) => {
      throw new Error(
        `${String(error)}: ${(await readFile(join(folder, 'engine.log'), 'utf8')).slice(-2000)}`,
      );
    });
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const ending = engine;
    engine = undefined;
    if (ending === undefined) return;
    const ended = once(ending, 'exit');
    ending.kill(signal);
    await ended;
    // It goes with a killed engine, and looks alive where nobody reaps it.
    if (signal === 'SIGKILL') await rm(containerd, { force: true });
  }

  await start();
  const image = execFileSync('docker', ['save', runnerImage], { maxBuffer: 64 * 1024 * 1024 });
  execFileSync('docker', ['load'], { env: environment, input: image, stdio: ['pipe', 'ignore', 'inherit'] });

  return {
    host,
    start,
    end,
    containers,
    async close() {
      if (answers()) for (const id of containers()) docker('rm', '-f', id);
      await end('SIGTERM');
      // With live restore its containerd stays, and holds the folder.
      const pid = await readFile(containerd, 'utf8').catch(() => '');
      if (pid !== '') await endContainerd(Number(pid));
      log.end();
      // What a killed engine has mounted, the innermost first.
      for (const place of (await mountedIn(folder)).reverse()) execFileSync('umount', ['--lazy', place]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function endContainerd(pid: number): Promise<void> {
  const alive = () => existsSync(`/proc/${String(pid)}`);
  if (!alive()) return;
  process.kill(pid, 'SIGTERM');
  await until(() => !alive(), 'containerd to be gone');
}

async function mountedIn(folder: string): Promise<string[]> {
  // proc(5): the fifth field is where it is mounted.
  const places = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  return places.filter((place) => place.startsWith(`${folder}/`));
}
