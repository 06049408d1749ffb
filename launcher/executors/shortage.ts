// After an image that there was no room for: no run is taken until there is more room, or some time has passed. Else this
// worker would take run after run, and give back each of them.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';

export interface Shortage {
  /** It was met; `fault` says by what. Does not throw. */
  readonly note: (fault: PoolwrightError) => Promise<void>;
  /** Throws DISK_FULL while it holds. */
  readonly check: () => Promise<void>;
}

/** `time`: milliseconds after which it may be tried again. `room`: bytes of which it may, too; a small image has them. */
export const shortage = { time: 5 * 60_000, room: 512 * 1024 ** 2 } as const;

/** `free`: bytes where images are kept; undefined where that cannot be seen. */
export function createShortage(clock: Clock, free: () => Promise<number | undefined>): Shortage {
  let noted: { readonly fault: PoolwrightError; readonly until: number; readonly enough: number } | undefined;
  return {
    async note({ code, message }) {
      // An engine that does not answer any more is a fault of its own, which is found by whoever looks next.
      const left = await free().catch(() => undefined);
      noted = {
        fault: new PoolwrightError(
          code,
          `${message} No run is taken before there are ${String(shortage.room / 1024 ** 2)} MB more, or ` +
            `${String(shortage.time / 60_000)} minutes have passed.`,
        ),
        until: clock.monotonic() + shortage.time,
        enough: left === undefined ? Infinity : left + shortage.room,
      };
    },
    async check() {
      if (noted === undefined) return;
      if (clock.monotonic() < noted.until && ((await free()) ?? 0) < noted.enough) throw noted.fault;
      noted = undefined;
    },
  };
}
