// Time comes in as an argument, so that tests of timeouts and waits do not sleep.

export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  /** Milliseconds from an origin that all processes share until the machine is started again; never jumps. */
  monotonic(): number;
  /** Calls back once, later. Gives a function that prevents it. */
  after(milliseconds: number, callback: () => void): () => void;
}

/** Milliseconds that setTimeout can hold, about 24 days; more would fire at once. */
const longest = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  // Unlike performance.now(), whose origin is the start of the process.
  monotonic() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  after(milliseconds, callback) {
    let timer: NodeJS.Timeout;
    const wait = (left: number): void => {
      timer = setTimeout(
        () => {
          if (left > longest) wait(left - longest);
          else callback();
        },
        Math.min(left, longest),
      );
    };
    wait(milliseconds);
    return () => {
      clearTimeout(timer);
    };
  },
};

/** Resolves after the time, or at once when the signal is aborted. Never throws: the caller looks at the signal. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const end = () => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(milliseconds, end);
    signal?.addEventListener('abort', end, { once: true });
  });
}
