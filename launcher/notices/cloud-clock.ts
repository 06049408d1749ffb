// Times that a cloud tells are by its clock, and this machine's may be wrong: a run would be cut short, or not ended in
// time. Every answer of a metadata service tells the cloud's time.
import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../clock.js';

export interface CloudClock {
  /** Takes the time from an answer that has just come. */
  heard(headers: IncomingHttpHeaders): void;
  /** A time by the cloud's clock (Unix milliseconds), by this machine's clock. */
  local(time: number): number;
}

/** Milliseconds: answers tell whole seconds, and take a moment to come. */
const tolerance = 2_000;

export function createCloudClock(clock: Pick<Clock, 'now'>): CloudClock {
  let ahead = 0;
  return {
    heard({ date }) {
      const told = Date.parse(date ?? '');
      if (Number.isNaN(told)) return;
      const difference = clock.now() - told;
      ahead = Math.abs(difference) <= tolerance ? 0 : difference;
    },
    local: (time) => time + ahead,
  };
}
