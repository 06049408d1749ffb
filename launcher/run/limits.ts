// Ends a run that takes too long or says nothing for too long, from its preparation to the keeping of its workspace.
import { PoolwrightError } from '../../protocol/errors.js';
import type { WorkState } from '../../protocol/runs.js';
import type { Clock } from '../clock.js';

export interface RunLimits {
  /** The run has printed something, or what it waits for goes forward. */
  heard(): void;
  /**
   * While this lasts the run counts as heard: for what prints nothing and is no business of the run's, such as a control
   * plane that is away. Its time goes on.
   */
  apart<Value>(work: () => Promise<Value>): Promise<Value>;
  /** When the run's time began to count, by the clock's `monotonic`. */
  readonly since: number;
  /** Stops the clocks. */
  close(): void;
}

/**
 * `onOver` is called once, with RUN_TIMED_OUT or RUN_SILENT. `timeouts` in milliseconds. `elapsed`: what of the
 * run's time earlier processes have used. `state`: what the run is in, for the words.
 */
export function startLimits(options: {
  readonly clock: Clock;
  readonly timeouts: { readonly run: number; readonly silence: number };
  readonly elapsed?: number;
  readonly state: () => WorkState;
  readonly onOver: (error: PoolwrightError) => void;
}): RunLimits {
  const { clock, timeouts, elapsed = 0, state, onOver } = options;
  const since = clock.monotonic() - elapsed;
  let lastHeard = clock.monotonic();
  let apart = 0;
  let cancelSilence: () => void = () => undefined;
  const cancelRun = clock.after(Math.max(0, timeouts.run - elapsed), () => {
    over(
      new PoolwrightError(
        'RUN_TIMED_OUT',
        `The run was ended in ${state()} after ${words(timeouts.run)}, the run timeout of this launcher ` +
          '(SPACELIFT_LAUNCHER_RUN_TIMEOUT).',
      ),
    );
  });

  function heard(): void {
    lastHeard = clock.monotonic();
  }

  function close(): void {
    cancelRun();
    cancelSilence();
  }

  function over(error: PoolwrightError): void {
    close();
    onOver(error);
  }

  /** One timer that looks when it was heard last: a run may print thousands of times a second. */
  function watch(after: number): void {
    cancelSilence = clock.after(after, () => {
      if (apart > 0) heard();
      const silent = clock.monotonic() - lastHeard;
      if (silent < timeouts.silence) watch(timeouts.silence - silent);
      else {
        over(
          new PoolwrightError(
            'RUN_SILENT',
            `The run was ended in ${state()} because it printed nothing for ${words(timeouts.silence)}, the logs ` +
              'timeout of this launcher (SPACELIFT_LAUNCHER_LOGS_TIMEOUT).',
          ),
        );
      }
    });
  }
  watch(timeouts.silence);

  return {
    since,
    heard,
    async apart(work) {
      apart += 1;
      try {
        return await work();
      } finally {
        apart -= 1;
        heard();
      }
    },
    close,
  };
}

/** `90 seconds`, `7 minutes`. */
function words(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 120) return `${String(seconds)} seconds`;
  return `${String(Math.round(seconds / 6) / 10)} minutes`;
}
