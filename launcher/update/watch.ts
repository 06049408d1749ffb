// Starts the worker process in the version that is to run, watches it, and starts another one when it asks for that or
// fails on probation. This part is always the launcher's as it was deployed: no update can take it away.
import { messageOf } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { choose, type Choice } from './choose.js';
import type { KeptRelease, Shelf, Trial } from './shelf.js';
import type { FromWorker, ToWorker } from './words.js';

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WorkerProcess {
  send(words: ToWorker): void;
  /** At once and without a word. */
  kill(): void;
  /** Resolves when it is gone, and never rejects. */
  readonly ended: Promise<ProcessEnd>;
}

/** What is started. */
export interface Bundle {
  readonly path: string;
  readonly sha256: string;
}

export interface WatchOptions {
  readonly shelf: Shelf;
  /** Version of this launcher. */
  readonly base: string;
  /** Milliseconds. */
  readonly probation: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Null: this launcher itself. */
  readonly start: (bundle: Bundle | null, hear: (words: FromWorker) => void) => WorkerProcess;
  /** Whether a launcher was killed in the middle of a run that the next one goes on with. */
  readonly runLeft: () => Promise<boolean>;
}

export interface Watch {
  signal(signal: 'SIGTERM' | 'SIGINT'): void;
  /** How the last worker process ended, and so the launcher. */
  readonly ended: Promise<ProcessEnd>;
}

interface Life {
  readonly end: ProcessEnd;
  readonly registered: boolean;
  readonly overdue: boolean;
  readonly update: Extract<FromWorker, { type: 'update' }> | undefined;
}

export function watchWorker(options: WatchOptions): Watch {
  const { shelf, base, probation, clock, log } = options;
  let ending = false;
  let current: WorkerProcess | undefined;

  async function run(): Promise<ProcessEnd> {
    for (;;) {
      await tidy();
      const choice = await chooseNow();
      const trial = choice.probation ? await beginTrial(choice) : undefined;
      const life = await live(choice);
      if (ending) return life.end;
      if (trial !== undefined && !life.registered) await giveUp(trial, reasonOf(life));
      else if (life.update === undefined || life.end.code !== 0) return life.end;
      else await assertUseful(life.update);
    }
  }

  async function tidy(): Promise<void> {
    try {
      await shelf.tidy(clock.now());
    } catch (error) {
      log.warn(`Earlier releases of the launcher cannot be removed (${messageOf(error)}).`);
    }
  }

  async function chooseNow(): Promise<Choice> {
    const [next, good, trial, runLeft] = await Promise.all([
      shelf.read('next'),
      shelf.read('good'),
      shelf.trial(),
      options.runLeft(),
    ]);
    return choose({ next, good, trial, runLeft });
  }

  /** Noted before it is started: a release that takes the machine with it is not started for ever. */
  async function beginTrial({ release }: Choice): Promise<Trial | undefined> {
    if (release === null) return undefined;
    const { version, released } = release;
    const before = await shelf.trial();
    const starts = before?.released === released ? before.starts : 0;
    const trial = { version, released, starts: starts + 1, failure: null };
    await shelf.setTrial(trial);
    log.info(`Launcher ${version} is started on probation.`, { launcher: version });
    return trial;
  }

  function live({ release, probation: onProbation, newest, failed }: Choice): Promise<Life> {
    let registered = false;
    let overdue = false;
    let update: Life['update'];
    let settled: Promise<void> = Promise.resolve();
    const bundle = release === null ? null : { path: shelf.bundle(release), sha256: release.sha256 };
    const worker = options.start(bundle, (words) => {
      if (words.type === 'update') update = words;
      else if (!registered) {
        registered = true;
        cancel();
        if (onProbation && release !== null) settled = promote(release);
      }
    });
    const cancel = onProbation
      ? clock.after(probation, () => {
          overdue = true;
          worker.kill();
        })
      : () => undefined;
    current = worker;
    worker.send({ type: 'hello', base, newest, failed });
    if (ending) worker.send({ type: 'signal', signal: 'SIGTERM' });
    return worker.ended.then(async (end) => {
      cancel();
      current = undefined;
      await settled;
      return { end, registered, overdue, update };
    });
  }

  async function promote(release: KeptRelease): Promise<void> {
    const { version } = release;
    try {
      await shelf.promote(release);
      log.info(`Launcher ${version} is connected: from now on it is the one that is started.`, {
        launcher: version,
      });
    } catch (error) {
      log.error(`Launcher ${version} is connected, but that cannot be noted (${messageOf(error)}).`);
    }
  }

  async function giveUp(trial: Trial, failure: string): Promise<void> {
    log.error(
      `Launcher ${trial.version} was given up: ${failure}. The one before it is started; release a mended one.`,
      { launcher: trial.version },
    );
    await shelf.setTrial({ ...trial, failure });
  }

  /** What the worker put on the shelf must be of use to this launcher too, or the two would go round in circles. */
  async function assertUseful({ version, released }: NonNullable<Life['update']>): Promise<void> {
    const { newest } = await chooseNow();
    if (newest >= released || (await options.runLeft())) return;
    await giveUp({ version, released, starts: 0, failure: null }, 'what was fetched of it cannot be used');
  }

  function reasonOf({ end, overdue }: Life): string {
    if (overdue) return `it was not connected within ${String(probation / 1000)} s`;
    const how = end.signal ?? `exit code ${String(end.code)}`;
    return `it ended (${how}) before it was connected`;
  }

  return {
    ended: run(),
    signal(signal) {
      ending = true;
      current?.send({ type: 'signal', signal });
    },
  };
}
