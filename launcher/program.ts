// Puts the launcher together from its parts and the process it runs in.
import { isatty } from 'node:tty';
import { messageOf } from '../protocol/errors.js';
import type { Assignment } from '../protocol/messages.js';
import { attemptDependencies, type AttemptParts } from './attempt-parts.js';
import { systemClock } from './clock.js';
import { createConnection } from './connection/reconnecting.js';
import { openRouteMemory, type RouteMemory } from './connection/route-memory.js';
import { createTransports } from './connection/transports.js';
import { chooseExecutor } from './executors/choose.js';
import type { Executor, LauncherLife } from './executors/executor.js';
import { startWatchdog } from './health/watchdog.js';
import { startLauncher, type Launcher } from './launcher.js';
import { watchFitness, type Fitness } from './fitness.js';
import { endLife } from './life.js';
import { createLog, type Log, type LogFields } from './log.js';
import { trustedCertificates } from './network/tls.js';
import { startAttempt, type Attempt } from './run/attempt.js';
import { createRunPrinter } from './run/printer.js';
import type { Past } from './run/record.js';
import { makeRoom } from './run/room.js';
import { examineSettings } from './settings/read.js';
import { takeSignals } from './signals.js';
import { writeOut } from './standard-output.js';
import { checkStart } from './start-checks.js';
import { createStatusReport, type StatusReport } from './status/report.js';
import { createUpdates, type Updates } from './update/updates.js';
import type { Watcher } from './update/watched.js';
import { createSurroundings, type Surroundings } from './surroundings.js';
import { cleanUp, takeLife } from './takeover.js';

/**
 * Runs one worker until it has ended in order. Throws INVALID_SETTINGS, UNSUPPORTED, ENGINE_UNAVAILABLE, PORT_IN_USE,
 * NOT_CONNECTED. `watcher`: the launcher that started this one and takes updates.
 */
export async function run(version: string, watcher?: Watcher): Promise<void> {
  const examined = examineSettings({
    environment: process.env,
    now: Date.now(),
    userId: process.getuid?.(),
    terminal: isatty(1),
  });
  const clock = systemClock;
  const logWith = (fields: LogFields): Log =>
    createLog({
      format: examined.values.logFormat,
      debug: examined.values.debug,
      fields,
      write: writeOut,
      now: () => clock.now(),
    });
  for (const warning of examined.warnings) logWith({}).warn(warning);

  const { settings, policy } = await checkStart(examined, process.env);
  const { life, left, again } = await takeLife(settings.stateDirectory, settings.privateKey, logWith({}));
  const log = logWith({ worker: life.id });
  const stopWatchdog = startWatchdog({ environment: process.env, clock, log });
  let stopCleaning: () => void = () => undefined;
  let release: () => void = () => undefined;
  // A run that cannot be gone on with yet, as when the engine does not answer, is left for the next start.
  let over = left === undefined && !again;
  let started: Executor | undefined;
  let surroundings: Surroundings | undefined;
  let report: StatusReport | undefined;
  let updates: Updates | undefined;
  let fitness: Fitness | undefined;
  let routes: RouteMemory | undefined;
  try {
    const executor = await chooseExecutor(settings, { life, resumes: left !== undefined, clock, log });
    started = executor;
    if (again && left === undefined) {
      await executor.sweep([life]);
      over = true;
    }
    stopCleaning = cleanUp(settings.stateDirectory, { executor, clock, log });
    const { token, privateKey, metadata } = settings;
    const authorities = () => trustedCertificates(token.authorities, process.env);
    const print = settings.runLogsOnStandardOutput
      ? createRunPrinter(writeOut, () => clock.now())
      : undefined;
    if (watcher !== undefined) {
      const own = { authorities: token.authorities, now: () => launcher.now() };
      const network = { proxies: settings.proxies, authorities, own };
      updates = createUpdates({ watcher, settings, version, network, clock, random: Math.random, log });
    }
    const status = createStatusReport({
      folder: life.folder,
      stateDirectory: settings.stateDirectory,
      about: {
        worker: life.id,
        pool: token.pool,
        version,
        executor: executor.kind,
        update: updates?.about ?? null,
      },
      now: () => clock.now(),
      onFault: (error) => {
        log.warn(`The status for "launcher status" cannot be written: ${messageOf(error)}`);
      },
    });
    report = status;
    const around = await createSurroundings({
      settings,
      metrics: () => status.metrics(),
      authorities: () => trustedCertificates([], process.env),
      clock,
      random: Math.random,
      log,
    });
    surroundings = around;
    const memory = await openRouteMemory({
      folder: settings.stateDirectory,
      pool: token.pool,
      worker: life.id,
      log,
    });
    routes = memory;
    const fit = watchFitness({
      check: async () => {
        await executor.check();
        await makeRoom(life.folder, executor, log);
      },
      onChange: () => {
        launcher.report();
      },
      clock,
      log,
    });
    fitness = fit;
    const parts: AttemptParts = {
      settings,
      version,
      life,
      executor,
      policy,
      surroundings: around,
      fitness: fit,
      print,
      authorities,
      now: () => launcher.now(),
      clock,
      log,
    };
    const start = (assignment: Assignment, onBegun: () => void, past?: Past): Attempt =>
      startAttempt(attemptDependencies(parts, assignment, onBegun), assignment, past);
    const launcher: Launcher = startLauncher({
      log,
      unavailable: () => fit.fault,
      observers: [...around.observers, status, ...(updates === undefined ? [] : [updates.observer])],
      onRelease: (offer) => updates?.offer(offer),
      connect: (status, listener) =>
        createConnection({
          transports: createTransports({
            token,
            privateKey,
            client: () => life.id,
            proxies: settings.proxies,
            authorities,
          }),
          token,
          privateKey,
          identity: {
            worker: life.id,
            metadata,
            version,
            executor: executor.kind,
            ...(updates === undefined ? {} : { updates: updates.about }),
          },
          status,
          listener,
          clock,
          random: Math.random,
          log,
          memory,
        }),
      startAttempt: start,
      ...(left === undefined
        ? {}
        : {
            resume: {
              run: left.assignment,
              start: (onBegun: () => void) => start(left.assignment, onBegun, left.past),
            },
          }),
    });

    void fit.look();
    release = takeSignals(launcher, log, settings.endWithParent, watcher);
    updates?.attach(launcher);
    around.attach(launcher);
    const end = await launcher.ended;
    over = true;
    await around.finish();
    log.info('Ended.');
    updates?.ended(end);
  } finally {
    updates?.close();
    fitness?.close();
    surroundings?.close();
    stopCleaning();
    await Promise.all([report?.settled(), routes?.settled()]);
    if (over) await endSwept(life, started, log);
    stopWatchdog();
    release();
  }
}

/** Removes the life's folder once nothing runs that was started in it; else the next launcher has to find it. */
async function endSwept(life: LauncherLife, executor: Executor | undefined, log: Log): Promise<void> {
  try {
    await executor?.sweep([life]);
  } catch (error) {
    log.error(
      `What this worker started may not have ended (${messageOf(error)}). The next launcher sees to it.`,
    );
    return;
  }
  await endLife(life);
}

/** Throws INVALID_SETTINGS, UNSUPPORTED. */
