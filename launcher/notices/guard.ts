// Keeps the group from choosing this machine for scale-in while a run is on it. A worker that cannot protect itself says
// so, and works on: the run counts more than the protection.
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { messageOf } from '../../protocol/errors.js';
import { createBackoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import { RefusedError, type ScaleInProtection } from './notice.js';

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
  /** Path of a file that is there while the machine may be protected, so that the next launcher knows. */
  readonly marker: string;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly log: Log;
}

/** Milliseconds. */
const times = { patience: 5_000, farewell: 5_000, retryBase: 2_000, retryCeiling: 60_000 } as const;

export function createGuard({ protection, marker, clock, random, log }: GuardOptions): Guard {
  let wanted = false;
  // A launcher that was killed may have left the protection behind. Its run may be gone on with: so it stays until
  // somebody who knows says `release`.
  let actual: boolean | 'unknown' = existsSync(marker) ? 'unknown' : false;
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
        if (target) await writeFile(marker, '');
        await protection.set(target, closing.signal);
        actual = target;
        complaint = '';
        if (!target) await rm(marker, { force: true });
        log.debug(target ? 'Protected from scale-in.' : 'Not protected from scale-in any more.');
      } catch (error) {
        if (!(error instanceof RefusedError)) actual = 'unknown';
        else if (actual === false) await rm(marker, { force: true });
        complain(target, messageOf(error));
        firstTry();
        if (wanted === target)
          await sleep(clock, backoff.next(), AbortSignal.any([changed.signal, closing.signal]));
      }
    }
    // In the same moment as the last look, so that a wish is never missed.
    working = undefined;
    firstTry();
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
