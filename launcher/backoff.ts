// How long to wait before trying again: a random part of a doubling time ("full jitter"), so that a thousand
// launchers that lost the same control plane do not come back in the same moment.

export interface Backoff {
  /** Milliseconds to wait before the next try. */
  next(): number;
  /** After a success. */
  reset(): void;
}

/** `base` and `ceiling` in milliseconds; `random` gives numbers from 0 up to, not including, 1. */
export function createBackoff(options: {
  readonly base: number;
  readonly ceiling: number;
  readonly random: () => number;
}): Backoff {
  let failures = 0;
  return {
    next() {
      const most = Math.min(options.ceiling, options.base * 2 ** failures);
      failures = Math.min(failures + 1, 30);
      return options.random() * most;
    },
    reset() {
      failures = 0;
    },
  };
}
