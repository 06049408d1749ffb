// Ctrl-C and its relatives: the first asks for an orderly end, the second ends at once.
import { constants } from 'node:os';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** npm passes on the Ctrl-C that the terminal has sent us already: what comes this close is the same one. Milliseconds. */
const sameStroke = 300;

export interface StopSignals {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Gives the signals back their default meaning. */
  release(): void;
}

/** Takes the signals over. `atOnce` runs at the second one, just before the process exits. */
export function takeStopSignals(atOnce: () => void, now: () => number = Date.now): StopSignals {
  const controller = new AbortController();
  let first: number | undefined;
  const listeners = signals.map((name) => {
    const listener = () => {
      if (first === undefined) {
        first = now();
        controller.abort();
        return;
      }
      if (now() - first < sameStroke) return;
      atOnce();
      process.exit(128 + constants.signals[name]);
    };
    process.on(name, listener);
    return { name, listener };
  });
  return {
    signal: controller.signal,
    release: () => {
      for (const { name, listener } of listeners) process.off(name, listener);
    },
  };
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve();
      },
      { once: true },
    );
  });
}

/** Everything is closed. What a library still waits for, such as an answer of a collector of traces, waits no longer. */
export function leaveSoon(): void {
  // Does not keep the process itself: without such a library it is gone by then.
  setTimeout(() => process.exit(), 500).unref();
}
