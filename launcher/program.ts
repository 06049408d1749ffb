// Puts the launcher together from its parts and the process it runs in.
import { writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { isatty } from 'node:tty';
import { ulid } from 'ulid';
import { messageOf, PoolwrightError } from '../protocol/errors.js';
import { systemClock } from './clock.js';
import { createConnection } from './connection/reconnecting.js';
import { createTransports } from './connection/transports.js';
import { chooseExecutor } from './executors/choose.js';
import { startLauncher, type Launcher } from './launcher.js';
import { beginLife, deadLives, endLife } from './life.js';
import { createLog, type Log } from './log.js';
import { startAttempt } from './run/attempt.js';
import { phasesOf } from './run/phases.js';
import { trustedCertificates } from './network/tls.js';
import { prepareSource } from './run/source/prepare.js';
import { keepWorkspace } from './run/source/workspace.js';
import { createRunPrinter } from './run/printer.js';
import { createWorkerApi } from './run/worker-api.js';
import { openPolicy, type Policy } from './policy/policy.js';
import { readSettings } from './settings/read.js';
import type { Settings } from './settings/settings.js';
import { createStatusReport, type StatusReport } from './status/report.js';
import { createSurroundings, type Surroundings } from './surroundings.js';

/**
 * Runs one worker until it has ended in order. Throws INVALID_SETTINGS, UNSUPPORTED, ENGINE_UNAVAILABLE, PORT_IN_USE,
 * NOT_CONNECTED.
 */
export async function run(version: string): Promise<void> {
  const { settings, warnings } = readSettings({
    environment: process.env,
    now: Date.now(),
    userId: process.getuid?.(),
    terminal: isatty(1),
  });
  const clock = systemClock;
  const worker = ulid();
  const log = createLog({
    format: settings.logFormat,
    debug: settings.debug,
    fields: { worker },
    write: writeOut,
    now: () => clock.now(),
  });
  for (const warning of warnings) log.warn(warning);

  const policy = await openConfiguredPolicy(settings);
  const life = await beginLife(settings.stateDirectory, worker);
  let surroundings: Surroundings | undefined;
  let report: StatusReport | undefined;
  try {
    const executor = await chooseExecutor(settings, { life, clock, log });
    const dead = await deadLives(settings.stateDirectory, life.id);
    if (dead.length > 0) {
      const ended = await executor.sweep(dead);
      log.info(
        `Cleaned up after ${String(dead.length)} launcher(s) that did not end in order; runs ended: ${String(ended)}`,
      );
      for (const other of dead) await endLife(other);
    }
    const { token, privateKey, metadata } = settings;
    const authorities = () => trustedCertificates(token.authorities, process.env);
    const print = settings.runLogsOnStandardOutput
      ? createRunPrinter(writeOut, () => clock.now())
      : undefined;
    const status = createStatusReport({
      folder: life.folder,
      about: { worker, pool: token.pool, version, executor: executor.kind },
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
    const launcher: Launcher = startLauncher({
      log,
      observers: [...around.observers, status],
      connect: (status, listener) =>
        createConnection({
          transports: createTransports({
            token,
            privateKey,
            worker: life.id,
            proxies: settings.proxies,
            authorities,
          }),
          token,
          privateKey,
          identity: { worker: life.id, metadata, version, executor: executor.kind },
          status,
          listener,
          clock,
          random: Math.random,
          log,
        }),
      startAttempt: (assignment, onBegun) =>
        startAttempt(
          {
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
              around.guarded(
                createWorkerApi({
                  ...bulk,
                  run: runId,
                  attempt,
                  authorities,
                  own: { authorities: token.authorities, now: () => launcher.now() },
                  proxies: settings.proxies,
                  clock,
                  random: Math.random,
                  log,
                }),
              ),
            clock,
            now: () => launcher.now(),
            log,
            folder: life.folder,
            environment: process.env,
            greeting: `Worker ${life.id} (launcher ${version}, ${executor.kind}) prepares the run.`,
            onBegun,
            ...(print === undefined ? {} : { printer: print(assignment) }),
          },
          assignment,
        ),
    });
    const release = takeSignals(launcher, log, settings.endWithParent);
    around.attach(launcher);
    await launcher.ended;
    release();
    await around.finish();
    log.info('Ended.');
  } finally {
    surroundings?.close();
    await report?.settled();
    await endLife(life);
  }
}

/** Throws INVALID_SETTINGS, UNSUPPORTED. */
async function openConfiguredPolicy(settings: Settings): Promise<Policy | null> {
  const { initializationPolicy: file, stateDirectory: folder } = settings;
  if (file === null) return null;
  // Where its engine is unpacked to, when this is an executable.
  await mkdir(folder, { recursive: true, mode: 0o755 });
  return openPolicy({ file, environment: process.env, folder });
}

/** Standard output may be a pipe that is full or gone; neither may end a run. */
function writeOut(text: string): void {
  try {
    writeSync(1, text);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EAGAIN') process.stdout.write(text);
    else if (code !== 'EPIPE') throw error;
  }
}

/** The first signal drains, the second stops the run. */
function takeSignals(launcher: Launcher, log: Log, endWithParent: boolean): () => void {
  let signals = 0;
  const stopNow = (why: string) => {
    launcher.stop(new PoolwrightError('LAUNCHER_STOPPED', `The launcher was stopped: ${why}.`));
  };
  const onSignal = (signal: NodeJS.Signals) => {
    signals += 1;
    if (signals === 1) launcher.drain(`the launcher got ${signal}`);
    else stopNow(`it got ${signal} twice`);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  const onParentGone = () => {
    log.info('Standard input has ended: the parent process is gone.');
    stopNow('the program that started it has ended');
  };
  if (endWithParent) process.stdin.on('end', onParentGone).on('error', onParentGone).resume();
  return () => {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
    if (endWithParent) process.stdin.off('end', onParentGone).destroy();
  };
}
