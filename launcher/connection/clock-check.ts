// Whether this machine's clock is right, by the control plane's signed messages. A wrong one stops nothing here, but it
// does stop other programs, and nobody looks at it first.
import type { Log } from '../log.js';

/** Milliseconds that a clock may be off, the time of a message on its way included. */
export const tolerated = 60_000;

export interface ClockCheck {
  /** Both in Unix milliseconds: this machine's time, and the control plane's at the same moment. */
  compare(own: number, theirs: number): void;
}

/** Says it once, and again when it has changed by more than is tolerated. */
export function createClockCheck(log: Pick<Log, 'warn' | 'info'>): ClockCheck {
  let said = 0;
  return {
    compare(own, theirs) {
      const off = own - theirs;
      if (Math.abs(off) <= tolerated) {
        if (said !== 0) log.info("This machine's clock is right again.");
        said = 0;
      } else if (said === 0 || Math.abs(off - said) > tolerated) {
        said = off;
        log.warn(
          `${describeClock(off)} Set it right (NTP). Runs go on; other programs may refuse certificates.`,
          {
            clockOffsetSeconds: Math.round(off / 1000),
          },
        );
      }
    },
  };
}

/** `off`: milliseconds by which this machine is ahead, negative when it is behind. */
export function describeClock(off: number): string {
  return `This machine's clock is ${spoken(Math.abs(off))} ${off > 0 ? 'ahead of' : 'behind'} the control plane's.`;
}

function spoken(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), 'day'],
    [Math.floor(seconds / 3600) % 24, 'hour'],
    [Math.floor(seconds / 60) % 60, 'minute'],
    [seconds % 60, 'second'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${String(count)} ${unit}${count === 1 ? '' : 's'}`)
    .join(' ');
}
