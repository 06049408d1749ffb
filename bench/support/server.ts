// A control plane as a process of its own.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { nextFreePort } from '../../control-plane/local/ports.js';

export interface Server {
  readonly url: string;
  /** Bytes of memory that it holds. */
  memory(): Promise<number>;
  /** Seconds of processor time that it has used. */
  processorTime(): Promise<number>;
  close(): Promise<void>;
}

/** Resolves when it is healthy. `environment`: variables of `serve`, such as DATABASE_URL. */
export async function startServer(
  data: string,
  environment: Readonly<Record<string, string>>,
): Promise<Server> {
  const api = await nextFreePort('127.0.0.1', 14_280);
  const broker = await nextFreePort('127.0.0.1', api + 1);
  const listen = ['--listen', `127.0.0.1:${String(api)}`, '--broker-listen', `127.0.0.1:${String(broker)}`];
  const child = spawn(
    process.execPath,
    [resolve('dist/control-plane/main.js'), 'serve', '--data-dir', data, ...listen],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...environment } },
  );
  const url = `http://127.0.0.1:${String(api)}`;
  await poll(
    async () => (await fetch(`${url}/healthz`).catch(() => undefined))?.ok === true,
    'the control plane',
  );
  return {
    url,
    memory: () => memoryOf(child.pid),
    processorTime: () => processorTimeOf(child.pid),
    close: () => ended(child, 'SIGINT'),
  };
}

/** Resident memory of a process in bytes (proc(5), VmRSS). */
export async function memoryOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  const kilobytes = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
  if (kilobytes === undefined) throw new Error(`process ${String(pid)} has no memory to read`);
  return Number(kilobytes) * 1024;
}

/** Seconds in user and system mode (proc(5): fields 14 and 15 of stat, in hundredths, as every Linux gives them). */
async function processorTimeOf(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  await gone;
}

export async function poll(look: () => Promise<boolean>, what: string, timeout = 60_000): Promise<void> {
  const end = performance.now() + timeout;
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`waited ${String(timeout / 1000)} s for ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
