// One launcher as a child process: started, started again when it breaks, ended in order.
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { z } from 'zod';

export interface LauncherCommand {
  /** Program and its arguments. */
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** All that it prints is kept here. */
  readonly logFile: string;
}

export interface LauncherEvents {
  /** A line that a person should see: warnings and faults. */
  onLine(line: string): void;
  /** It ended though nobody asked. `again` tells whether it is started once more. */
  onBroken(how: string, again: boolean): void;
}

/** Milliseconds: from the first request to end until the run is ended too, and until it is killed. */
const patience = { run: 300, end: 10_000 } as const;
/** Milliseconds before a broken launcher is started again. */
const restartAfter = 1_000;
/** A launcher that breaks this often in a row, each time within this many milliseconds, is given up. */
const hopeless = { times: 5, within: 10_000 } as const;
/** Exit code of a launcher whose settings are wrong: starting it again would change nothing. */
const wrongSettings = 2;
/** Levels of pino's lines: from here on they are warnings. */
const warningLevel = 40;

const logLineSchema = z.object({ level: z.number(), msg: z.string() });

/** The text of a line that should be shown, otherwise undefined. */
export function noteworthy(line: string): string | undefined {
  if (!line.startsWith('{')) return line.trim() === '' ? undefined : line;
  try {
    const parsed = logLineSchema.safeParse(JSON.parse(line));
    if (parsed.success) return parsed.data.level >= warningLevel ? parsed.data.msg : undefined;
  } catch {
    // Not JSON after all: shown as it is.
  }
  return line;
}

export interface LauncherProcess {
  /** Ends it: a SIGTERM, soon a second one for its run, at last SIGKILL. Resolves when it is gone. */
  stop(): Promise<void>;
  /** Tells it to end and does not wait: for the last moment of this process. */
  abandon(): void;
}

function describe(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `exit code ${String(code)}` : signal;
}

/** Starts a launcher and keeps it running until `stop`. */
export function startLauncher(command: LauncherCommand, events: LauncherEvents): LauncherProcess {
  const log = createWriteStream(command.logFile, { flags: 'w', mode: 0o600 });
  log.on('error', (error) => {
    events.onLine(`its log cannot be kept: ${error.message}`);
  });
  let stopping = false;
  let restart: NodeJS.Timeout | undefined;
  let quickEnds = 0;
  let current = run();

  function run(): { child: ChildProcess; ended: Promise<void> } {
    // A group of its own, so that the terminal's Ctrl-C reaches only this process, which then ends the
    // launchers in order. The open stdin is how a launcher notices that this process is gone.
    const begun = Date.now();
    const child = spawn(command.program, command.args, {
      env: command.environment,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    copy(child.stdout, log, events);
    copy(child.stderr, log, events);
    // It may end before it has taken notice of its stdin.
    child.stdin.on('error', (error) => log.write(`stdin: ${error.message}\n`));
    const ended = new Promise<void>((resolve) => {
      child.once('error', (error) => {
        events.onLine(error.message);
        resolve();
      });
      child.once('exit', (code, signal) => {
        resolve();
        if (stopping) return;
        quickEnds = Date.now() - begun < hopeless.within ? quickEnds + 1 : 0;
        const again = code !== wrongSettings && quickEnds < hopeless.times;
        events.onBroken(describe(code, signal), again);
        if (again) restart = setTimeout(() => (current = run()), restartAfter);
      });
    });
    return { child, ended };
  }

  return {
    stop: async () => {
      stopping = true;
      clearTimeout(restart);
      const { child, ended } = current;
      const isAlive = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined;
      if (isAlive()) {
        child.kill('SIGTERM');
        const second = setTimeout(() => child.kill('SIGTERM'), patience.run);
        const last = setTimeout(() => child.kill('SIGKILL'), patience.end);
        await ended;
        clearTimeout(second);
        clearTimeout(last);
      }
      await new Promise<void>((resolve) => log.end(resolve));
    },
    abandon: () => {
      stopping = true;
      clearTimeout(restart);
      // Twice: the second one ends its run too. It also sees its stdin close.
      current.child.kill('SIGTERM');
      current.child.kill('SIGTERM');
    },
  };
}

function copy(stream: Readable, log: WriteStream, events: LauncherEvents): void {
  createInterface({ input: stream }).on('line', (line) => {
    log.write(`${line}\n`);
    const shown = noteworthy(line);
    if (shown !== undefined) events.onLine(shown);
  });
}
