// Cron expressions in a time zone: what they name and when that comes next, also where clocks are changed.
import { Cron } from 'croner';
import { messageOf } from '../../protocol/errors.js';

/** Whether it is a time zone's name (IANA) or offset. */
export function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/**
 * Reads `minute hour day-of-month month day-of-week` as crontab(5) has it, or `@daily` and the like. Answers what is wrong as
 * a text. A fixed time that is skipped where clocks are set forward comes right after the gap, one that comes twice counts
 * once; other expressions go by the clock as it is.
 */
export function readCron(expression: string, timezone: string): Cron | string {
  const text = expression.trim();
  // The library also takes a date, and fields for seconds and years.
  if (!/^@[a-z]+$/i.test(text) && text.split(/\s+/).length !== 5)
    return 'expected five fields: minute, hour, day of the month, month, day of the week';
  try {
    return new Cron(text, { timezone, paused: true, sloppyRanges: true });
  } catch (error) {
    return `expected values, ranges such as 1-5, or *, and behind them /step; got ${JSON.stringify(text.slice(0, 100))} (${messageOf(error)})`;
  }
}

/** The first time after `after` that one of the expressions names, in Unix milliseconds; null when there is none. */
export function nextTime(crons: readonly Cron[], after: number): number | null {
  const times = crons.flatMap((cron) => cron.nextRun(new Date(after))?.getTime() ?? []);
  return times.length === 0 ? null : Math.min(...times);
}
