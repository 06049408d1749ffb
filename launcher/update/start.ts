// `launcher` with updates: this process watches, a worker process works.
import { isatty } from 'node:tty';
import { systemClock } from '../clock.js';
import { deadLives } from '../life.js';
import { createLog } from '../log.js';
import { stateDirectoryOf } from '../settings/read.js';
import type { Variable } from '../settings/variable.js';
import { variables } from '../settings/variables.js';
import { writeOut } from '../standard-output.js';
import { startWorkerProcess } from './process.js';
import { openShelf, shelfFolder } from './shelf.js';
import { watchWorker, type ProcessEnd } from './watch.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Answers how the launcher is to end; undefined, and nothing is done, when updates are off. Faulty settings are
 * left to the worker, which tells of all of them.
 */
export async function startWatched(
  version: string,
  environment: Environment,
): Promise<ProcessEnd | undefined> {
  const settings = readUpdateSettings(environment);
  if (settings === undefined) return undefined;
  const { keys, probation, stateDirectory, format } = settings;
  const clock = systemClock;
  const watch = watchWorker({
    shelf: openShelf({ folder: shelfFolder(stateDirectory), keys, base: version }),
    base: version,
    probation,
    clock,
    log: createLog({
      format,
      debug: false,
      write: writeOut,
      now: () => clock.now(),
    }),
    start: startWorkerProcess,
    runLeft: async () => (await deadLives(stateDirectory)).some(({ attempts }) => attempts.length > 0),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      watch.signal(signal);
    });
  }
  return watch.ended;
}

function readUpdateSettings(environment: Environment) {
  const valueOf = <Value>({ name, default: usual, read }: Variable<Value>) =>
    read(environment[name] || (usual ?? ''));
  try {
    const keys = valueOf(variables.updateKeys);
    if (keys.length === 0) return undefined;
    const format = valueOf(variables.logFormat) ?? (isatty(1) ? 'pretty' : 'json');
    const stateDirectory = stateDirectoryOf({ environment, userId: process.getuid?.() });
    return { keys, probation: valueOf(variables.updateProbation), stateDirectory, format } as const;
  } catch {
    return undefined;
  }
}
