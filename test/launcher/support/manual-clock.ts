// A clock that the test moves.
import type { Clock } from '../../../launcher/clock.js';

export interface ManualClock extends Clock {
  /** Moves on, calling back whatever is due on the way, in order. */
  advance(milliseconds: number): void;
  /** How many timers are set. */
  waiting(): number;
}

export function manualClock(start = 0): ManualClock {
  let time = start;
  const timers = new Set<{ at: number; callback: () => void }>();
  return {
    now: () => time,
    monotonic: () => time,
    after(milliseconds, callback) {
      const timer = { at: time + milliseconds, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    waiting: () => timers.size,
    advance(milliseconds) {
      const end = time + milliseconds;
      for (;;) {
        const due = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers.delete(due);
        time = due.at;
        due.callback();
      }
      time = end;
    },
  };
}
