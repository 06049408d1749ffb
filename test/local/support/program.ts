// The built program as a real process, and every process that belongs to it.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, vi } from 'vitest';

const program = fileURLToPath(new URL('../../../dist/control-plane/main.js', import.meta.url));

/** Whether /proc can be searched for processes that were left behind. */
export const canSearchProcesses = existsSync('/proc/self/environ');

export interface Program {
  readonly child: ChildProcess;
  /** Standard output and error so far. */
  readonly output: () => string;
  readonly errors: () => string;
  /** Milliseconds from the start to the first time each line was there. */
  readonly times: ReadonlyMap<string, number>;
  /** Waits until the output matches; fails with the output when it does not within `timeout` milliseconds. */
  until(pattern: RegExp, timeout?: number): Promise<RegExpExecArray>;
  /** Resolves with exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

/** Starts `poolwright` with these words. It is killed when the test ends, should it still run. */
export function startProgram(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Program {
  const started = performance.now();
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, NO_COLOR: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  const times = new Map<string, number>();
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    for (const line of output.split('\n')) if (!times.has(line)) times.set(line, performance.now() - started);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
    child.once('close', (code, signal) => {
      resolve(signal ?? code);
    });
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const until = (pattern: RegExp, timeout = 30_000) =>
    vi.waitFor(
      () => {
        const match = pattern.exec(output);
        if (match === null) throw new Error(`Expected ${String(pattern)} in:\n${output}\n${errors}`);
        return match;
      },
      { timeout, interval: 20 },
    );
  return { child, output: () => output, errors: () => errors, times, until, ended };
}

/** Runs `poolwright` to its end. */
export async function runProgram(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const program = startProgram(args, environment);
  const code = await program.ended;
  return { code, output: program.output(), errors: program.errors() };
}

async function belongs(pid: string, folder: string): Promise<boolean> {
  const texts = await Promise.all([
    readFile(`/proc/${pid}/environ`, 'utf8'),
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
    readlink(`/proc/${pid}/cwd`),
  ]).catch(() => []); // It ended while it was looked at.
  return texts.some((text) => text.includes(folder));
}

/** Ids of all processes that have `folder` in their environment, command line or working directory. */
export async function processesOf(folder: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  const found = await Promise.all(
    pids.map(async (pid) => ((await belongs(pid, folder)) ? [Number(pid)] : [])),
  );
  return found.flat();
}

/** Waits until no process of the folder is left; fails with those that are. */
export async function nothingLeft(folder: string, timeout = 10_000): Promise<void> {
  await vi.waitFor(
    async () => {
      expect(await processesOf(folder)).toEqual([]);
    },
    { timeout, interval: 50 },
  );
}
