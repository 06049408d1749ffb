// The launcher on its machine: the cloud's notices, protection from scale-in, and health, put around a launcher that
// knows nothing of them.
import { PoolwrightError } from '../protocol/errors.js';
import type { Clock } from './clock.js';
import { startHealthEndpoint, type HealthEndpoint } from './health/endpoint.js';
import { watchConnection } from './health/watch.js';
import type { Launcher, LauncherObserver } from './launcher.js';
import type { Log } from './log.js';
import { attend, type Attendance } from './notices/attend.js';
import { chooseMachine } from './notices/choose.js';
import { createGuard } from './notices/guard.js';
import { openProtectionMarks } from './notices/protection-marks.js';
import type { WorkerApi } from './run/worker-api.js';
import type { Settings } from './settings/settings.js';

export interface Surroundings {
  readonly observers: readonly LauncherObserver[];
  /** The same, but a run begins only when the machine is protected, or could not be. */
  guarded(api: WorkerApi): WorkerApi;
  /** From now on notices and health act on it. */
  attach(launcher: Launcher): void;
  /** When the launcher has ended: answers the cloud. Throws NOT_CONNECTED when that was why. */
  finish(): Promise<void>;
  close(): void;
}

/** Throws PORT_IN_USE. */
export async function createSurroundings(options: {
  readonly settings: Pick<Settings, 'cloud' | 'health' | 'stateDirectory' | 'proxies'>;
  /** PEM: whom calls to the cloud's API trust. */
  readonly authorities: () => string[];
  /** Lines in Prometheus' text format. */
  readonly metrics: () => string;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly log: Log;
}): Promise<Surroundings> {
  const { settings, clock, random, log } = options;
  const machine = chooseMachine(settings.cloud, {
    proxies: settings.proxies,
    authorities: options.authorities,
    clock,
    random,
  });
  const protection = settings.cloud.scaleInProtection ? (machine?.protection ?? null) : null;
  const guard =
    protection === null
      ? null
      : createGuard({
          protection,
          marks: await openProtectionMarks(settings.stateDirectory),
          clock,
          random,
          log,
        });
  let launcher: Launcher | undefined;
  let attendance: Attendance | undefined;
  let failure: PoolwrightError | undefined;
  /** Settles when the machine is protected for the run that is there, or when that has failed. */
  let protectedNow: Promise<void> = Promise.resolve();

  const watch = watchConnection({
    clock,
    limit: settings.health.disconnectedLimit,
    onOver: (milliseconds, reason) => {
      failure = new PoolwrightError(
        'NOT_CONNECTED',
        `The launcher was not connected for ${String(Math.round(milliseconds / 1000))} s and has no run, so its ` +
          `machine is of no use (POOLWRIGHT_DISCONNECTED_TIMEOUT). The last reason: ${reason}.`,
      );
      launcher?.drain(failure.message);
    },
  });
  const endpoint: HealthEndpoint | null =
    settings.health.port === null
      ? null
      : await startHealthEndpoint(settings.health.port, () => watch.state(), options.metrics);

  const protector: LauncherObserver = {
    onRunStarted() {
      if (guard !== null) protectedNow = guard.protect();
    },
    onRunOver() {
      guard?.release();
    },
  };

  return {
    observers: [watch, protector],
    guarded: (api) => ({
      ...api,
      async begin(signal) {
        await protectedNow;
        await api.begin(signal);
      },
    }),
    attach(attached) {
      launcher = attached;
      // What a launcher that was killed has left, unless this one goes on with its run.
      if (!attached.busy) guard?.release();
      if (machine !== null) attendance = attend({ machine, launcher: attached, clock, log });
    },
    async finish() {
      await Promise.all([attendance?.finish(), guard?.close()]);
      if (failure !== undefined) throw failure;
    },
    close() {
      attendance?.close();
      watch.close();
      endpoint?.close();
    },
  };
}
