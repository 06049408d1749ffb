// What an attempt at a run is given of the launcher that works on it.
import type { Assignment } from '../protocol/messages.js';
import type { Clock } from './clock.js';
import type { Executor, LauncherLife } from './executors/executor.js';
import type { Fitness } from './fitness.js';
import type { Log } from './log.js';
import type { Policy } from './policy/policy.js';
import type { AttemptDependencies } from './run/attempt.js';
import { phasesOf } from './run/phases.js';
import type { createRunPrinter } from './run/printer.js';
import { makeRoom } from './run/room.js';
import { prepareSource } from './run/source/prepare.js';
import { keepWorkspace } from './run/source/workspace.js';
import { createWorkerApi } from './run/worker-api.js';
import type { Settings } from './settings/settings.js';
import type { Surroundings } from './surroundings.js';

export interface AttemptParts {
  readonly settings: Settings;
  readonly version: string;
  readonly life: LauncherLife;
  readonly executor: Executor;
  /** Null when there is none. */
  readonly policy: Policy | null;
  readonly surroundings: Surroundings;
  readonly fitness: Fitness;
  /** Undefined when run logs are not printed. */
  readonly print: ReturnType<typeof createRunPrinter> | undefined;
  /** PEM: whom the control plane may be certified by. */
  readonly authorities: () => string[];
  /** Unix milliseconds by the control plane's clock. */
  readonly now: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

/** `onBegun` is called when the first command may run. */
export function attemptDependencies(
  parts: AttemptParts,
  assignment: Assignment,
  onBegun: () => void,
): AttemptDependencies {
  const { settings, version, life, executor, policy, surroundings, print, authorities, now, clock, log } =
    parts;
  const { token, metadata } = settings;
  return {
    settings,
    executor,
    policy:
      policy === null
        ? null
        : { policy, worker: { defaultImage: settings.containers.defaultImage, metadata } },
    prepareSource,
    keepWorkspace,
    phasesOf,
    createApi: ({ run: runId, attempt, bulk }) =>
      surroundings.guarded(
        createWorkerApi({
          ...bulk,
          run: runId,
          attempt,
          authorities,
          own: { authorities: token.authorities, now },
          proxies: settings.proxies,
          clock,
          random: Math.random,
          log,
        }),
      ),
    clock,
    now,
    log,
    folder: life.folder,
    makeRoom: () => makeRoom(life.folder, executor, log),
    onUnfit: () => parts.fitness.look(),
    sweep: () => executor.sweep([life]),
    environment: process.env,
    greeting: `Worker ${life.id} (launcher ${version}, ${executor.kind}) prepares the run.`,
    onBegun,
    ...(print === undefined ? {} : { printer: print(assignment) }),
  };
}
