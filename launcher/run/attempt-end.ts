// How an attempt is ended from outside: its work, its delivery, and the time that is left for its last words.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Assignment } from '../../protocol/messages.js';
import type { Clock } from '../clock.js';

/** Why an attempt is ended from outside. */
export type EndReason =
  /** The run goes on elsewhere or has ended: nothing more is said of this attempt. */
  | { readonly kind: 'stale' }
  /** Somebody or something wants it ended; the result says so. */
  | { readonly kind: 'stop'; readonly error: PoolwrightError }
  /** Ended from outside, and somebody who knows why tells the result: only the log is delivered. */
  | { readonly kind: 'hand-over'; readonly error: PoolwrightError };

export interface AttemptEnd {
  /** The first reason counts, but `stale` overrides. */
  readonly end: (reason: EndReason) => void;
  /** Ends the steps. */
  readonly work: AbortSignal;
  /** Ends the delivery of what is said of it. */
  readonly delivery: AbortController;
  /** Why it was ended, unless as stale. */
  readonly stop: PoolwrightError | undefined;
  readonly stale: boolean;
  /** Somebody else tells the result. */
  readonly handedOver: boolean;
  /** The steps; the last word comes after them. Without them: at once. */
  executing(steps: Promise<unknown>): void;
  /** Called when little time is left for last words. */
  onHurry(hurry: () => void): void;
}

/** Milliseconds that a last word may take when the launcher itself has to end, once the run's steps have ended. */
const lastWordsWithin = 5_000;

export function createAttemptEnd(
  { run, attempt }: Pick<Assignment, 'run' | 'attempt'>,
  clock: Clock,
): AttemptEnd {
  const work = new AbortController();
  const delivery = new AbortController();
  let stop: PoolwrightError | undefined;
  let stale = false;
  let handedOver = false;
  /** Settles when no step runs. */
  let executed: Promise<unknown> = Promise.resolve();
  let hurry: () => void = () => undefined;

  return {
    work: work.signal,
    delivery,
    get stop() {
      return stop;
    },
    get stale() {
      return stale;
    },
    get handedOver() {
      return handedOver;
    },
    executing(steps) {
      // How they end is for the line after them.
      executed = steps.catch(() => undefined);
    },
    onHurry(callback) {
      hurry = callback;
    },
    end(reason) {
      if (reason.kind === 'stale') {
        stale = true;
        const error = new PoolwrightError(
          'STALE_ATTEMPT',
          `Attempt ${String(attempt)} of run ${run} no longer counts.`,
        );
        work.abort(error);
        delivery.abort(error);
        return;
      }
      if (stop !== undefined) return;
      handedOver = reason.kind === 'hand-over';
      stop = reason.error;
      work.abort(reason.error);
      if (reason.error.code === 'LAUNCHER_STOPPED') {
        // Steps have a time of their own to end in order, and what becomes of them is the last word.
        void executed.then(() => {
          hurry();
          clock.after(lastWordsWithin, () => {
            delivery.abort(reason.error);
          });
        });
      }
    },
  };
}
