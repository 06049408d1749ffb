// Ends a run that takes too long or says nothing for too long.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';

export interface RunLimits {
  /** The run has printed something. */
  heard(): void;
  /** Stops the clocks. */
  close(): void;
}

/**
 * `onOver` is called once, with RUN_TIMED_OUT or RUN_SILENT. `timeouts` in milliseconds. `elapsed`: what of the
 * run's time earlier processes have used.
 */
export function startLimits(options: {
  readonly clock: Clock;
  readonly timeouts: { readonly run: number; readonly silence: number };
  readonly elapsed?: number;
  readonly onOver: (error: PoolwrightError) => void;
}): RunLimits {
  const { clock, timeouts, elapsed = 0, onOver } = options;
  let lastHeard = clock.monotonic();
  let cancelSilence: () => void = () => undefined;
  const cancelRun = clock.after(Math.max(0, timeouts.run - elapsed), () => {
    over(
      new PoolwrightError(
        'RUN_TIMED_OUT',
        `The run was ended after ${words(timeouts.run)}, the run timeout of this launcher ` +
          '(SPACELIFT_LAUNCHER_RUN_TIMEOUT).',
      ),
    );
  });

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
      const silent = clock.monotonic() - lastHeard;
      if (silent < timeouts.silence) watch(timeouts.silence - silent);
      else {
        over(
          new PoolwrightError(
            'RUN_SILENT',
            `The run was ended because it printed nothing for ${words(timeouts.silence)}, the logs timeout of this ` +
              'launcher (SPACELIFT_LAUNCHER_LOGS_TIMEOUT).',
          ),
        );
      }
    });
  }
  watch(timeouts.silence);

  return {
    heard() {
      lastHeard = clock.monotonic();
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
