// The server's side of the bridge: steps go to the container `worker` and their output comes back, through named pipes in
// a folder that both containers see. The end of either container is the end of the pipe for the other.
import { execFile } from 'node:child_process';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { PoolwrightError } from '../../../protocol/errors.js';
import { sleep, type Clock } from '../../clock.js';
import type { Step, StepEnd } from '../../executors/executor.js';
import { askedVariables } from './worker-script.js';

const run = promisify(execFile);

/** Milliseconds that output may come after the end of its step, held open by what the step left running. */
const outputAfterEnd = 1000;

export interface Bridge {
  /** Resolves once the worker is there, with those of its variables that the server needs. Throws WORKER_LOST. */
  readonly hello: Promise<Readonly<Record<string, string>>>;
  /** Resolves when the container has ended before `close`. */
  readonly gone: Promise<void>;
  /** Throws WORKER_LOST when the container ended on the way. */
  run(step: Omit<Step, 'number'>, onOutput: (bytes: Uint8Array) => void, stop: AbortSignal): Promise<StepEnd>;
  /** Lets the worker end. May be called twice. */
  close(): void;
}

export interface BridgeOptions {
  /** Where the two sides are users of different groups: only tests. Default: false. */
  readonly openToAll?: boolean;
  readonly folder: string;
  /** Folders that come first on the PATH of steps, with colons between; empty for none. */
  readonly customBinariesPath: string;
  /** Names of the worker's own variables that steps do not get. Default: none. */
  readonly withheld?: () => readonly string[];
  readonly clock: Clock;
  /** Milliseconds between the first signal and the last. */
  readonly grace: number;
}

interface StepWord {
  readonly code: number;
  /** `asked`: after the container was asked to end, by the server or by its node. */
  readonly cause: 'exit' | 'memory' | 'killed' | 'asked';
}

/** Makes a named pipe; Node has no call for it. */
export async function makePipe(path: string, mode = '0660'): Promise<void> {
  await run('mkfifo', ['-m', mode, path]);
}

export function openBridge(options: BridgeOptions): Bridge {
  const { folder, clock, grace } = options;
  // Open for both, so that it does not wait for the worker; this side never reads.
  const orders = openSync(join(folder, 'orders'), constants.O_RDWR | constants.O_NONBLOCK);
  const words = openForReading(join(folder, 'words'));
  const gone = new AbortController();
  const ended = new Map<number, (word: StepWord) => void>();
  let greet: () => void = () => undefined;
  const greeted = new Promise<void>((resolve) => (greet = resolve));
  let number = 0;
  let closed = false;

  createInterface(words)
    .on('line', (line) => {
      const [word, which, code, cause] = line.split(' ');
      if (word === 'hello') greet();
      else if (word === 'end') {
        ended.get(Number(which))?.({
          code: Number(code),
          cause: cause === 'memory' || cause === 'killed' || cause === 'asked' ? cause : 'exit',
        });
      }
    })
    .on('close', () => {
      if (!closed) gone.abort(lost());
    });

  /** A line is short and a pipe holds 64 kB: it never waits. */
  function order(text: string): void {
    if (!closed) writeSync(orders, `${text}\n`);
  }

  const untilGone = new Promise<never>((_, reject) => {
    gone.signal.addEventListener('abort', () => {
      reject(gone.signal.reason as Error);
    });
  });
  untilGone.catch(() => undefined);

  async function runStep(
    step: Omit<Step, 'number'>,
    onOutput: (bytes: Uint8Array) => void,
    stop: AbortSignal,
  ): Promise<StepEnd> {
    stop.throwIfAborted();
    gone.signal.throwIfAborted();
    number += 1;
    const file = join(folder, `step.${String(number)}`);
    const pipe = join(folder, `output.${String(number)}`);
    const withheld = options.withheld?.() ?? [];
    await writeFile(file, stepScript(step, options.customBinariesPath, withheld), {
      mode: options.openToAll === true ? 0o644 : 0o640,
    });
    await makePipe(pipe, options.openToAll === true ? '0666' : '0660');
    const output = openForReading(pipe);
    const silent = new Promise<void>((resolve) => output.once('close', resolve));
    output.on('data', onOutput);
    const over = new AbortController();
    const onAbort = () => void endStep(over.signal);
    try {
      const end = new Promise<StepWord>((resolve) => ended.set(number, resolve));
      order(`step ${String(number)}`);
      stop.addEventListener('abort', onAbort, { once: true });
      if (stop.aborted) onAbort();
      const word = await Promise.race([end, untilGone]);
      await Promise.race([silent, sleep(clock, outputAfterEnd, over.signal)]);
      if (stop.aborted || word.cause === 'killed')
        return { exitCode: null, signal: 'SIGKILL', cause: 'killed' };
      // Its node ends the pod, and tells this container, too: how the step took it says nothing about the run.
      if (word.cause === 'asked') {
        gone.abort(lost());
        gone.signal.throwIfAborted();
      }
      if (word.cause === 'memory' && word.code === 137)
        return { exitCode: 137, signal: 'SIGKILL', cause: 'out-of-memory' };
      // What lost a child by the kernel often ends with a code of its own.
      if (word.cause === 'memory' && word.code !== 0)
        return { exitCode: word.code, signal: null, cause: 'out-of-memory' };
      return { exitCode: word.code, signal: null, cause: 'exit' };
    } finally {
      over.abort();
      stop.removeEventListener('abort', onAbort);
      ended.delete(number);
      output.destroy();
      await rm(file, { force: true });
      await rm(pipe, { force: true });
    }
  }

  async function endStep(over: AbortSignal): Promise<void> {
    order('term');
    await sleep(clock, grace, over);
    if (!over.aborted) order('kill');
  }

  return {
    hello: Promise.race([greeted, untilGone]).then(() => readVariables(join(folder, 'variables'))),
    gone: new Promise((resolve) => {
      gone.signal.addEventListener('abort', () => {
        resolve();
      });
    }),
    run: runStep,
    close() {
      if (closed) return;
      order('leave');
      closed = true;
      words.destroy();
      // What is in a pipe that nobody has open is gone: the worker has it open, or is gone itself.
      closeSync(orders);
    },
  };
}

function lost(): PoolwrightError {
  return new PoolwrightError(
    'WORKER_LOST',
    'The container worker of this pod ended before its run was over.',
  );
}

/** Opened without waiting for the other side, and read without holding a thread. */
function openForReading(path: string): Socket {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: true, writable: false });
  // A pipe that breaks ends, and that is what is looked at.
  socket.on('error', () => undefined);
  return socket;
}

/** Sourced by the worker's shell in a shell of its own. */
function stepScript(
  step: Omit<Step, 'number'>,
  customBinariesPath: string,
  withheld: readonly string[],
): string {
  const variables = Object.entries(step.environment).map(
    ([name, value]) => `export ${name}=${quoted(value)}`,
  );
  const path = customBinariesPath === '' ? [] : [`PATH=${quoted(customBinariesPath)}:$PATH`, 'export PATH'];
  return [
    ...withheld.map((name) => `unset ${name}`),
    ...variables,
    ...path,
    `cd ${quoted(step.workingDirectory)} || exit 126`,
    `exec /bin/sh -e -c ${quoted(step.script)}`,
    '',
  ].join('\n');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

async function readVariables(folder: string): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  const read = async (name: string) => {
    const value = await readFile(join(folder, name), 'utf8').catch(() => undefined);
    if (value !== undefined) found[name] = value;
  };
  for (const name of askedVariables) await read(name);
  for (const name of (found['SPACELIFT_MASK_ENVS'] ?? '').split(',')) {
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name.trim())) await read(name.trim());
  }
  return found;
}
