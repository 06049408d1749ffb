// Tells when a process that looks at regular times cannot have listened: it did not run for a while (a paused machine, a
// stopped process, no processor time), or its clock was set.
import type { Clock } from '../clock.js';

/** Milliseconds. A clock that is corrected bit by bit and a look that is a little late are no gap. */
const tolerance = 5000;

export interface Gap {
  /** Milliseconds that a look came later than planned. */
  readonly late: number;
  /** Milliseconds that the clock went further than time did; negative: it was set back. */
  readonly clockSetBy: number;
}

export interface Gaps {
  /** The gap since the last look, which ended `planned` milliseconds ago if nothing came between. */
  look(planned: number): Gap | undefined;
  /** The look is over and did what a gap demands. Until then it is told again. */
  looked(): void;
}

/** `uptime`: milliseconds on a clock that nobody sets, which may stand still while the machine is paused. */
export function watchGaps(clock: Clock, uptime: () => number): Gaps {
  const ahead = () => clock.now() - uptime();
  // A clock that is set while a look goes on is a gap for the next one.
  let seen = ahead();
  let last = { up: uptime(), ahead: seen };
  return {
    look(planned) {
      seen = ahead();
      const gap = {
        late: Math.round(uptime() - last.up - planned),
        clockSetBy: Math.round(seen - last.ahead),
      };
      return gap.late > tolerance || Math.abs(gap.clockSetBy) > tolerance ? gap : undefined;
    },
    looked() {
      last = { up: uptime(), ahead: seen };
    },
  };
}
