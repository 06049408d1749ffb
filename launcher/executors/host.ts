// Steps as processes of this machine: own group, clean environment, temporary home. No isolation.
import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, type Clock } from '../clock.js';
import type { Executor, LauncherLife, RunWorld, Step, StepEnd, WorldRequest } from './executor.js';
import { endMarked, markVariable } from './host-processes.js';

export interface HostOptions {
  readonly life: LauncherLife;
  readonly clock: Clock;
  /** The launcher's own PATH: where tools are found. */
  readonly path: string;
  /** Milliseconds between SIGTERM and SIGKILL. Default 10 s. */
  readonly grace?: number;
}

/** Processes that a step left behind have this long after its end, in milliseconds. */
const leftoverGrace = 2000;
/** What somebody that cannot be found still holds open is not waited for longer, in milliseconds. */
const outputPatience = 1000;

export function createHostExecutor(options: HostOptions): Executor {
  const { life, clock, path, grace = 10_000 } = options;

  async function open({ run, attempt, workspace, signal }: WorldRequest): Promise<RunWorld> {
    signal.throwIfAborted();
    const mark = `${life.id}.${run}.${String(attempt)}`;
    const home = join(life.folder, 'homes', `${run}.${String(attempt)}`);
    await mkdir(join(home, 'tmp'), { recursive: true, mode: 0o700 });
    const base = { PATH: path, HOME: home, TMPDIR: join(home, 'tmp'), LANG: 'C.UTF-8' };

    async function runStep(
      step: Step,
      onOutput: (bytes: Uint8Array) => void,
      stop: AbortSignal,
    ): Promise<StepEnd> {
      stop.throwIfAborted();
      // One pipe for both, so that what is printed keeps its order.
      const child = spawn('/bin/sh', ['-c', 'exec 2>&1; exec /bin/sh -e -c "$0"', step.script], {
        cwd: step.workingDirectory,
        env: { ...base, ...step.environment, [markVariable]: mark },
        stdio: ['ignore', 'pipe', 'ignore'],
        detached: true,
      });
      const output = child.stdout;
      output.on('data', onOutput);
      const closed = new Promise<void>((resolve) => output.once('close', resolve));
      let ending: Promise<unknown> | undefined;
      const onAbort = () => {
        ending = endMarked(mark, clock, grace, child.pid);
      };
      stop.addEventListener('abort', onAbort, { once: true });
      try {
        const end = await new Promise<StepEnd>((resolve, reject) => {
          child.once('error', reject);
          child.once('exit', (exitCode, killedBy) => {
            resolve({ exitCode, signal: killedBy, cause: stop.aborted ? 'killed' : 'exit' });
          });
        });
        await ending;
        await endMarked(mark, clock, leftoverGrace, child.pid);
        await Promise.race([closed, sleep(clock, outputPatience)]);
        return end;
      } finally {
        stop.removeEventListener('abort', onAbort);
        output.destroy();
      }
    }

    return {
      projectDirectory: workspace,
      run: runStep,
      async close() {
        await endMarked(mark, clock, leftoverGrace);
        await rm(home, { recursive: true, force: true });
      },
    };
  }

  return {
    kind: 'host',
    check: () => Promise.resolve(),
    open,
    async sweep(dead) {
      let ended = 0;
      for (const { id } of dead) ended += (await endMarked(`${id}.`, clock, leftoverGrace)) > 0 ? 1 : 0;
      return ended;
    },
  };
}
