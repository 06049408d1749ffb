// When a time that a cron expression names comes next in a time zone, also where its clocks are changed. A time that is
// skipped comes as much later as the clocks are set forward, one that comes twice counts the first time (so does
// RFC 5545, 3.3.5). What comes every hour goes by the clock as it is.
import type { Cron } from './cron.js';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

/** So far is looked ahead: February 29 comes after eight years at most. In milliseconds. */
const horizon = 12 * 366 * day;

/** Unix milliseconds → how many milliseconds the zone's clocks are ahead of UTC. */
type Offsets = (at: number) => number;

/** Whether it is a time zone's name (IANA) or offset. */
export function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** The first time after `after` that one of the expressions names, in Unix milliseconds; null when there is none. */
export function nextTime(crons: readonly Cron[], zone: string, after: number): number | null {
  const offsetAt = offsetsOf(zone);
  const local = after + offsetAt(after);
  // A time that was skipped may belong to the day before.
  const first = local - (((local % day) + day) % day) - day;
  for (let midnight = first; midnight <= first + horizon; midnight += day) {
    const date = new Date(midnight);
    const times = crons
      .filter((cron) => cron.isOn(date))
      .flatMap((cron) => timesOf(cron, midnight, offsetAt))
      .filter((time) => time > after);
    if (times.length > 0) return times.reduce((one, other) => Math.min(one, other));
  }
  return null;
}

/** The times of a day whose local midnight is given as if it were UTC's. */
function timesOf({ minutes, hours }: Cron, midnight: number, offsetAt: Offsets): number[] {
  const before = offsetAt(midnight - day);
  const later = offsetAt(midnight + 2 * day);
  const everyHour = hours.length === 24;
  return hours.flatMap((atHour) =>
    minutes.flatMap((atMinute) => {
      const local = midnight + atHour * hour + atMinute * minute;
      if (before === later) return [local - before];
      const real = [...new Set([local - before, local - later])].filter(
        (time) => time + offsetAt(time) === local,
      );
      if (everyHour) return real;
      return real.length === 0 ? [local - before] : [Math.min(...real)];
    }),
  );
}

function offsetsOf(zone: string): Offsets {
  const clock = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    ...{
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    },
  });
  return (at) => {
    const shown = new Map(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes) => shown.get(type) ?? 0;
    const local = Date.UTC(
      ...([part('year'), part('month') - 1, part('day')] as const),
      ...([part('hour'), part('minute'), part('second')] as const),
    );
    return local - (at - (((at % 1000) + 1000) % 1000));
  };
}
