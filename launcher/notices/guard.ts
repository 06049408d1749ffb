// Keeps the group from choosing this machine for scale-in while a run is on it. A worker that cannot protect itself says
// so, and works on: the run counts more than the protection.
import { messageOf } from '../../protocol/errors.js';
import { createBackoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import { RefusedError, type ScaleInProtection } from './notice.js';
import type { ProtectionMarks } from './protection-marks.js';

export interface Guard {
  /** A run comes. Resolves when the machine is protected, or when that failed once or takes longer than some seconds. */
  protect(): Promise<void>;
  /** There is no run, or no more. */
  release(): void;
  /** Resolves when the machine is not protected any more, or after some seconds. */
  close(): Promise<void>;
}

export interface GuardOptions {
  readonly protection: ScaleInProtection;
  /** Of the launchers on this machine: who has a run, and what one that was killed has left. */
  readonly marks: ProtectionMarks;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly log: Log;
}

/** Milliseconds. */
const times = { patience: 5_000, farewell: 5_000, retryBase: 2_000, retryCeiling: 60_000 } as const;

export function createGuard({ protection, marks, clock, random, log }: GuardOptions): Guard {
  let wanted = false;
  // A launcher that was killed may have left the protection behind. Its run may be gone on with: so it stays until
  // somebody who knows says `release`.
  let actual: boolean | 'unknown' = marks.left ? 'unknown' : false;
  let working: Promise<void> | undefined;
  let complaint = '';
  /** Wakes the loop from its wait when what is wanted has changed. */
  let changed = new AbortController();
  const closing = new AbortController();
  let firstTry: () => void = () => undefined;

  async function settle(): Promise<void> {
    const backoff = createBackoff({ base: times.retryBase, ceiling: times.retryCeiling, random });
    while (actual !== wanted && !closing.signal.aborted) {
      const target = wanted;
      try {
        if (target) await putOn();
        else await takeOff();
        actual = target;
        complaint = '';
        log.debug(target ? 'Protected from scale-in.' : 'Not protected from scale-in any more.');
      } catch (error) {
        if (!(error instanceof RefusedError)) actual = 'unknown';
        else if (actual === false) await marks.clear();
        complain(target, messageOf(error));
        // A run that has come meanwhile still has its first try before it.
        if (target) firstTry();
        if (wanted === target)
          await sleep(clock, backoff.next(), AbortSignal.any([changed.signal, closing.signal]));
      }
    }
    // In the same moment as the last look, so that a wish is never missed.
    working = undefined;
    firstTry();
  }

  async function putOn(): Promise<void> {
    await marks.set();
    await protection.set(true, closing.signal);
  }

  /** Not while another launcher on this machine has a run: it takes the protection off when that is over. */
  async function takeOff(): Promise<void> {
    await marks.over();
    while (!(await marks.ofOthers())) {
      await protection.set(false, closing.signal);
      if (!(await marks.ofOthers())) break;
      // One has begun meanwhile, and this may have come after what it asked.
      await protection.set(true, closing.signal);
    }
    await marks.clear();
  }

  function complain(target: boolean, message: string): void {
    if (complaint === message || closing.signal.aborted) return;
    complaint = message;
    log.warn(
      target
        ? `This machine is not protected from scale-in while its run goes on: ${message}`
        : `This machine is still protected from scale-in though it has no run: ${message}. Trying again.`,
    );
  }

  function want(value: boolean): Promise<void> {
    wanted = value;
    changed.abort();
    changed = new AbortController();
    if (working === undefined && actual === wanted) return Promise.resolve();
    return (working ??= settle());
  }

  async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
    let cancel: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(milliseconds, resolve);
    });
    await Promise.race([work, late]);
    cancel();
  }

  return {
    async protect() {
      const tried = new Promise<void>((resolve) => {
        firstTry = resolve;
      });
      await atMost(times.patience, Promise.race([want(true), tried]));
    },
    release() {
      void want(false);
    },
    async close() {
      await atMost(times.farewell, want(false));
      closing.abort();
    },
  };
}
