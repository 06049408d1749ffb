// What a launcher does at its start with what launchers left that were killed: goes on with one run, and cleans up.
import { ulid } from 'ulid';
import type { KeyObject } from 'node:crypto';
import { messageOf, PoolwrightError } from '../protocol/errors.js';
import type { Assignment } from '../protocol/messages.js';
import type { Clock } from './clock.js';
import type { Executor, LauncherLife } from './executors/executor.js';
import { beginLife, claimLife, deadLives, endLife, type DeadLife, type LeftAttempt } from './life.js';
import type { Log } from './log.js';
import { readAttempt, type Past } from './run/record.js';

/** A run to go on with. */
export interface LeftRun {
  readonly assignment: Assignment;
  readonly past: Past;
}

export interface Takeover {
  readonly life: LauncherLife;
  /** Undefined for a new life, and when it cannot be gone on with. */
  readonly left: LeftRun | undefined;
  /** Whether the life is one that a process was killed in. */
  readonly again: boolean;
}

/**
 * Milliseconds that a run waits for another launcher which goes on with it: each takes up one. After that the control
 * plane has given it up too (`rhythm.lostAfter`).
 */
const patience = 15_000;

/**
 * The life of a launcher that was killed in the middle of a run, when there is one, and a new one otherwise: the
 * worker's id is part of what the control plane and the run's container know. Throws INVALID_SETTINGS.
 */
export async function takeLife(stateDirectory: string, privateKey: KeyObject, log: Log): Promise<Takeover> {
  const onFault = (message: string) => {
    log.error(message);
  };
  for (const dead of await deadLives(stateDirectory, onFault)) {
    const [attempt] = dead.attempts;
    if (attempt === undefined || (await isOfOtherPool(attempt, privateKey))) continue;
    if (!(await claimLife(dead))) continue;
    // Read when it is this process's own: until then another one may go on with it.
    return { life: dead, left: await readLeft(attempt, privateKey, log), again: true };
  }
  return { life: await beginLife(stateDirectory, ulid()), left: undefined, again: false };
}

/** A launcher of that pool may still go on with it: launchers of several pools may share a state folder. */
async function isOfOtherPool({ run, attempt, folder }: LeftAttempt, privateKey: KeyObject): Promise<boolean> {
  return readAttempt(folder, run, attempt, privateKey).then(
    () => false,
    (error: unknown) => error instanceof PoolwrightError && error.code === 'SEALED_FOR_OTHER_KEY',
  );
}

async function readLeft(
  { run, attempt, folder }: LeftAttempt,
  privateKey: KeyObject,
  log: Log,
): Promise<LeftRun | undefined> {
  try {
    return await readAttempt(folder, run, attempt, privateKey);
  } catch (error) {
    log.error(
      `A launcher was killed in the middle of run ${run}, and what it noted cannot be read (${messageOf(error)}). ` +
        'The run cannot be gone on with.',
      { run },
    );
    return undefined;
  }
}

/** Milliseconds until it is tried again to remove what could not be, as with an engine that is away. */
const retryAfter = 10_000;

/**
 * Removes what dead launchers left: at once what has no run in it, the rest when nobody has taken it up. Answers a
 * function that stops waiting. Its faults are logged, and it is tried again: they keep nobody from working.
 */
export function cleanUp(
  stateDirectory: string,
  { executor, clock, log }: { readonly executor: Executor; readonly clock: Clock; readonly log: Log },
): () => void {
  const sweep = async (which: (dead: DeadLife) => boolean): Promise<void> => {
    const claimed: DeadLife[] = [];
    for (const dead of await deadLives(stateDirectory))
      if (which(dead) && (await claimLife(dead))) claimed.push(dead);
    if (claimed.length > 0) await remove(claimed);
  };
  // They are this process's own now: nobody else removes them.
  const remove = async (claimed: readonly DeadLife[]): Promise<void> => {
    try {
      const ended = await executor.sweep(claimed);
      log.info(
        `Cleaned up after ${String(claimed.length)} launcher(s) that did not end in order; runs ended: ${String(ended)}`,
      );
      for (const other of claimed) await endLife(other);
    } catch (error) {
      faults(error);
      if (stopped) return;
      const cancel = clock.after(retryAfter, () => {
        waiting.delete(cancel);
        void remove(claimed);
      });
      waiting.add(cancel);
    }
  };
  const waiting = new Set<() => void>();
  let stopped = false;
  const faults = (error: unknown) => {
    log.error(`What other launchers left behind could not be removed: ${messageOf(error)}`);
  };
  void sweep(({ attempts }) => attempts.length === 0).catch(faults);
  // One that dies later has its own time to be taken up, by a launcher that may be starting just then.
  const first = deadLives(stateDirectory).then((dead) => new Set(dead.map(({ id }) => id)));
  first.catch(faults);
  waiting.add(
    clock.after(patience, () => {
      void first.then((seen) => sweep(({ id }) => seen.has(id))).catch(faults);
    }),
  );
  return () => {
    stopped = true;
    for (const cancel of waiting) cancel();
  };
}
