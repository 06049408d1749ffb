// The programs under test as real processes that can be killed and started again: a control plane, and launchers.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { eventually } from './patience.js';

/** Characters that are kept of what a process says. */
const kept = 64 * 1024;

export interface ProgramOptions {
  /** Default: this Node. */
  readonly command?: string;
  /** Command line after it. */
  readonly words: readonly string[];
  /** The whole environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told of every whole line that it prints. */
  readonly onLine?: (line: string) => void;
}

export interface Program {
  /** The process that runs, or ran last. */
  readonly process: ChildProcess | undefined;
  readonly running: boolean;
  /** The end of what its processes have said. */
  said(): string;
  start(environment?: Readonly<Record<string, string>>): void;
  /** Sends the signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Resolves when it has ended. */
  ended(): Promise<void>;
}

export function createProgram({
  command = process.execPath,
  words,
  environment,
  onLine,
}: ProgramOptions): Program {
  let child: ChildProcess | undefined;
  let text = '';
  const running = () => child !== undefined && child.exitCode === null && child.signalCode === null;

  function listen(started: ChildProcess): void {
    for (const stream of [started.stdout, started.stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (part: string) => {
        text = (text + part).slice(-kept);
        const lines = (rest + part).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) onLine?.(line);
      });
    }
  }

  return {
    get process() {
      return child;
    },
    get running() {
      return running();
    },
    said: () => text,
    start(more = {}) {
      text += `--- started at ${new Date().toISOString()}\n`;
      child = spawn(command, words, {
        env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment, ...more },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      listen(child);
    },
    async end(signal) {
      if (child === undefined || !running()) return;
      const gone = once(child, 'close');
      child.kill(signal);
      await gone;
      text += `--- ended by ${signal} at ${new Date().toISOString()}\n`;
    },
    async ended() {
      if (child !== undefined && running()) await once(child, 'close');
    },
  };
}

export interface ControlPlaneProcess {
  readonly program: Program;
  readonly url: string;
  /** Starts it and waits until it answers. */
  start(): Promise<void>;
}

export function createControlPlane(options: {
  readonly data: string;
  readonly ports: { readonly api: number; readonly broker: number };
  /** How launchers reach the API. */
  readonly publicUrl: string;
  readonly environment?: Readonly<Record<string, string>>;
}): ControlPlaneProcess {
  const { data, ports, publicUrl, environment = {} } = options;
  const url = `http://127.0.0.1:${String(ports.api)}`;
  const program = createProgram({
    words: [
      resolve('dist/control-plane/main.js'),
      ...['serve', '--data-dir', data, '--public-url', publicUrl],
      ...['--listen', `127.0.0.1:${String(ports.api)}`],
      ...['--broker-listen', `127.0.0.1:${String(ports.broker)}`],
    ],
    environment,
  });
  return {
    program,
    url,
    async start() {
      program.start();
      await eventually(
        async () => {
          if (!program.running) throw new Error(`The control plane ended by itself: ${program.said()}`);
          return fetch(`${url}/healthz`).then(
            ({ ok }) => ok,
            () => false,
          );
        },
        () => `the control plane to answer; it said ${program.said()}`,
      );
    },
  };
}

export interface LauncherProcess {
  readonly program: Program;
  /** Absolute: its state folder. */
  readonly state: string;
  /** The worker that it is, and all that it has been. */
  readonly worker: string | undefined;
  readonly workers: ReadonlySet<string>;
  /** How often it has registered. */
  readonly registrations: number;
  /** Waits until it has registered once more than `before`. */
  registered(before: number): Promise<void>;
}

export function createLauncher(
  folder: string,
  name: string,
  environment: Readonly<Record<string, string>>,
): LauncherProcess {
  const state = join(folder, name);
  const workers = new Set<string>();
  let worker: string | undefined;
  let registrations = 0;
  const program = createProgram({
    words: [resolve('dist/launcher.cjs')],
    environment: { ...environment, POOLWRIGHT_STATE_DIR: state, SPACELIFT_METADATA_name: name },
    onLine(line) {
      const id = /"worker":"([0-9A-Z]{26})"/.exec(line)?.[1];
      if (id !== undefined) {
        worker = id;
        workers.add(id);
      }
      if (line.includes('Registered at')) registrations += 1;
    },
  });
  return {
    program,
    state,
    get worker() {
      return worker;
    },
    workers,
    get registrations() {
      return registrations;
    },
    registered: (before) =>
      eventually(
        () => {
          if (!program.running) {
            if (!endedForEngine(program.said()))
              throw new Error(`The launcher ${name} ended by itself: ${program.said()}`);
            program.start();
          }
          return registrations > before;
        },
        () => `the launcher ${name} to register; it said ${program.said()}`,
      ),
  };
}

/** One that has no run does not start without an engine: whoever looks after the service starts it again, as systemd does. */
function endedForEngine(said: string): boolean {
  return said.slice(said.lastIndexOf('--- started at')).includes('launcher (ENGINE_UNAVAILABLE)');
}
