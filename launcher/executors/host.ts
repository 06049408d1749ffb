// Steps as processes of this machine: own groups, clean environment, temporary home. No isolation.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PoolwrightError } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';
import type { Executor, LauncherLife, RunWorld, Step, StepEnd, StepSink, WorldRequest } from './executor.js';
import { groupsOf, inGroup, openGroup, removeGroup } from './host-groups.js';
import { endTraced, markOf, markVariable, tracedProcesses } from './host-processes.js';
import { endOf, kernelKills, type Kills } from './step-end.js';
import { followStep, forgetStep, wasBegun } from './step-output.js';
import { stepScript } from './step-script.js';

export interface HostOptions {
  readonly life: LauncherLife;
  readonly clock: Clock;
  /** The launcher's own PATH: where tools are found. */
  readonly path: string;
  /** Milliseconds between SIGTERM and SIGKILL. Default 10 s. */
  readonly grace?: number;
  /** Default: the kernel's. */
  readonly kills?: Kills;
}

/** What a run has on this machine. */
interface Places {
  /** In the environment of its processes. */
  readonly mark: string;
  readonly home: string;
  readonly outputs: string;
  /** Its control group; null where none can be made. */
  readonly group: string | null;
}

/** Processes that a step left behind have this long after its end, in milliseconds. */
const leftoverGrace = 2000;

export function createHostExecutor(options: HostOptions): Executor {
  const { life, clock, path, grace = 10_000, kills = kernelKills } = options;

  async function open(request: WorldRequest): Promise<RunWorld> {
    request.signal.throwIfAborted();
    const { mark, home, outputs } = placesOf(request);
    await mkdir(join(home, 'tmp'), { recursive: true, mode: 0o700 });
    await mkdir(outputs, { mode: 0o700 });
    return worldOf(request, { mark, home, outputs, group: await openGroup(life, mark) });
  }

  /** What was between two steps when its launcher was killed has no process, and is there all the same. */
  async function adopt(request: WorldRequest): Promise<RunWorld> {
    const { mark, home, outputs } = placesOf(request);
    for (const folder of [home, outputs]) {
      await access(folder).catch((error: unknown) => {
        throw new PoolwrightError('RUN_INTERRUPTED', `The run was cut off: its folder ${folder} is gone.`, {
          cause: error,
        });
      });
    }
    return worldOf(request, { mark, home, outputs, group: await openGroup(life, mark) });
  }

  function placesOf(request: WorldRequest) {
    const { run, attempt, workspace } = request;
    return {
      mark: markOf(life.id, request),
      home: join(life.folder, 'homes', `${run}.${String(attempt)}`),
      outputs: join(dirname(workspace), 'output'),
    };
  }

  function worldOf(request: WorldRequest, { mark, home, outputs, group }: Places): RunWorld {
    const traces = { prefix: mark, groups: group === null ? [] : [group] };
    const own = process.getuid?.();
    const base = { PATH: path, HOME: home, TMPDIR: join(home, 'tmp'), LANG: 'C.UTF-8' };

    async function runStep(step: Step, sink: StepSink, stop: AbortSignal): Promise<StepEnd> {
      if (!(await wasBegun(outputs, step.number))) stop.throwIfAborted();
      const killsBefore = await kills();
      const script = ['/bin/sh', '-c', stepScript, 'step', join(outputs, String(step.number)), step.script];
      const [program = '', ...words] = inGroup(group, script);
      let processGroup: number | undefined;
      const start = async () => {
        const child = spawn(program, words, {
          cwd: step.workingDirectory,
          env: { ...base, ...step.environment, [markVariable]: mark },
          stdio: 'ignore',
          detached: true,
        });
        await once(child, 'spawn');
        // A launcher that ends does not wait for it: whoever goes on with the run does.
        child.unref();
        processGroup = child.pid;
      };
      await start();
      let ending: Promise<unknown> | undefined;
      const onAbort = () => {
        ending = endTraced({ ...traces, processGroup }, clock, grace);
      };
      stop.addEventListener('abort', onAbort, { once: true });
      if (stop.aborted) onAbort();
      try {
        const outcome = await followStep({
          folder: outputs,
          step: step.number,
          sink,
          clock,
          stop,
          alive: async () => (await tracedProcesses(traces)).length > 0,
          startAgain: async () => {
            await start();
            // One that was stopped while it was being started is ended like the first.
            if (stop.aborted) onAbort();
          },
          onEnd: async () => {
            await ending;
            await endTraced({ ...traces, processGroup }, clock, leftoverGrace);
          },
        });
        await ending;
        if (stop.aborted) return { exitCode: null, signal: 'SIGKILL', cause: 'killed' };
        return await endOf(outcome, async () => (await kills()) > killsBefore);
      } finally {
        stop.removeEventListener('abort', onAbort);
      }
    }

    return {
      projectDirectory: request.workspace,
      user: own === undefined ? null : { id: own, of: 'machine' },
      run: runStep,
      forget: (step) => forgetStep(outputs, step),
      async close() {
        await endTraced(traces, clock, leftoverGrace);
        if (group !== null) await removeGroup(group, clock);
        for (const folder of [home, outputs]) await rm(folder, { recursive: true, force: true });
      },
    };
  }

  return {
    kind: 'host',
    check: () => Promise.resolve(),
    open,
    adopt,
    // It brings nothing.
    makeRoom: () => Promise.resolve([]),
    stores: () => Promise.resolve([]),
    async sweep(dead) {
      let ended = 0;
      for (const other of dead) {
        const groups = await groupsOf(other);
        ended += (await endTraced({ prefix: `${other.id}.`, groups }, clock, leftoverGrace)) > 0 ? 1 : 0;
        for (const group of groups) await removeGroup(group, clock);
      }
      return ended;
    },
  };
}
