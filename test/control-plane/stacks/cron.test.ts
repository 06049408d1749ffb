// What cron expressions name, and when that comes, also where clocks are changed.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cron } from 'croner';
import { isTimeZone, nextTime, readCron } from '../../../control-plane/stacks/cron.js';

function cron(expression: string, zone = 'UTC'): Cron {
  const read = readCron(expression, zone);
  if (typeof read === 'string') throw new Error(`${expression}: ${read}`);
  return read;
}

/** The next times after one another, as the zone's own program would print them. */
function times(expression: string, zone: string, after: string, count: number): string[] {
  const found: string[] = [];
  let at = Date.parse(after);
  for (let index = 0; index < count; index += 1) {
    const next = nextTime([cron(expression, zone)], at);
    if (next === null) break;
    found.push(new Date(next).toISOString().slice(0, 16));
    at = next;
  }
  return found;
}

describe('an expression', () => {
  it.each([
    ['0 4 * * *', ['2026-01-02T04:00', '2026-01-03T04:00']],
    ['@daily', ['2026-01-02T00:00', '2026-01-03T00:00']],
    ['*/20 5 * * *', ['2026-01-02T05:00', '2026-01-02T05:20', '2026-01-02T05:40', '2026-01-03T05:00']],
    ['5/25 5 * * *', ['2026-01-02T05:05', '2026-01-02T05:30', '2026-01-02T05:55', '2026-01-03T05:05']],
    [
      '0 9-17/4 * * MON-fri',
      ['2026-01-02T09:00', '2026-01-02T13:00', '2026-01-02T17:00', '2026-01-05T09:00'],
    ],
    ['15,45 0 1 jan,Jul ?', ['2026-07-01T00:15', '2026-07-01T00:45', '2027-01-01T00:15']],
    ['0 0 * * 7', ['2026-01-04T00:00', '2026-01-11T00:00']],
    ['0 0 * * 0', ['2026-01-04T00:00', '2026-01-11T00:00']],
    // Both kinds of days: one is enough. One of them free: the other one decides.
    ['0 0 13 * fri', ['2026-01-02T00:00', '2026-01-09T00:00', '2026-01-13T00:00']],
    ['0 0 31 * *', ['2026-01-31T00:00', '2026-03-31T00:00', '2026-05-31T00:00']],
    ['0 0 29 2 *', ['2028-02-29T00:00', '2032-02-29T00:00']],
  ])('%s names its times', (expression, expected) => {
    expect(times(expression, 'UTC', '2026-01-01T20:00:00Z', expected.length)).toEqual(expected);
  });

  it.each([
    ['0 4 * *', 'expected five fields'],
    ['@every 1h', 'expected five fields'],
    ['2030-01-01T00:00:00', 'expected five fields'],
    ['0 0 4 * * *', 'expected five fields'],
    ['@sometimes', 'got "@sometimes"'],
    ['60 4 * * *', 'Invalid value for minute: 60'],
    ['0 5-3 * * *', "'5-3'"],
    ['0 4 0 * *', 'Invalid value for day'],
    ['0 4 * foo *', '(foo) contains illegal characters'],
    ['0 4 * * 8', 'Invalid value for dayOfWeek: 8'],
    ['*/0 4 * * *', 'illegal stepping: 0'],
    ['1,,2 4 * * *', 'entry minute () is empty'],
    ['-1 4 * * *', 'got "-1 4 * * *"'],
  ])('%s is refused with what is wrong', (expression, fault) => {
    expect(readCron(expression, 'UTC')).toContain(fault);
  });

  it('of a day that is in no year never comes', () => {
    expect(nextTime([cron('0 0 31 2 *')], 0)).toBeNull();
  });

  it('beside others: what comes first', () => {
    const both = [cron('0 4 * * *'), cron('30 3 1 * *')];
    expect(nextTime(both, Date.parse('2026-01-31T12:00Z'))).toBe(Date.parse('2026-02-01T03:30Z'));
  });
});

describe('a zone', () => {
  it('is known by its name', () => {
    expect(['UTC', 'Europe/Berlin', 'Mars/Olympus', ''].map(isTimeZone)).toEqual([true, true, false, false]);
  });

  it.each([
    // Berlin: 02:00 becomes 03:00 on March 29, 03:00 becomes 02:00 on October 25.
    [
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-27T12:00Z',
      ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'],
    ],
    ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00Z', ['2026-10-25T00:30', '2026-10-26T01:30']],
    [
      '0 1-3 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00Z',
      ['2026-03-29T00:00', '2026-03-29T01:00', '2026-03-29T23:00'],
    ],
    // Every hour: the hour that is not there is left out, the one that comes twice counts twice.
    [
      '30 * * * *',
      'Europe/Berlin',
      '2026-03-29T00:00Z',
      ['2026-03-29T00:30', '2026-03-29T01:30', '2026-03-29T02:30'],
    ],
    [
      '30 * * * *',
      'Europe/Berlin',
      '2026-10-25T00:00Z',
      ['2026-10-25T00:30', '2026-10-25T01:30', '2026-10-25T02:30'],
    ],
    // Midnight itself is skipped in Cairo; half an hour in Lord Howe; behind and far ahead of UTC.
    ['0 0 * * *', 'Africa/Cairo', '2026-04-23T12:00Z', ['2026-04-23T22:00', '2026-04-24T21:00']],
    ['15 2 * * *', 'Australia/Lord_Howe', '2026-10-03T00:00Z', ['2026-10-03T15:30', '2026-10-04T15:15']],
    ['0 22 * * *', 'America/Los_Angeles', '2026-07-01T12:00Z', ['2026-07-02T05:00', '2026-07-03T05:00']],
    ['0 1 1 * *', 'Pacific/Kiritimati', '2026-01-31T12:00Z', ['2026-02-28T11:00', '2026-03-31T11:00']],
  ])('%s in %s after %s', (expression, zone, after, expected) => {
    expect(times(expression, zone, after, expected.length)).toEqual(expected);
  });

  it('gives, whatever is asked, the first minute whose clock shows a time that is named', () => {
    const field = (least: number, most: number) =>
      fc.oneof(
        fc.constant('*'),
        fc.uniqueArray(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 3 }).map(String),
      );
    fc.assert(
      fc.property(
        fc.constantFrom(
          ...([
            ['UTC', 0],
            ['Europe/Berlin', 120],
            ['America/St_Johns', -150],
            ['Asia/Kathmandu', 345],
            ['Australia/Lord_Howe', 630],
          ] as const),
        ),
        // June: no clock is changed then.
        fc.integer({ min: Date.UTC(2026, 5, 3), max: Date.UTC(2026, 5, 20) }),
        fc.tuple(field(0, 59), field(0, 23), field(1, 31), fc.constant('*'), field(0, 7)),
        ([zone, ahead], after, parts) => {
          const [minutes, hours, days, , weekdays] = parts;
          const has = (text: string, value: number) =>
            text === '*' || text.split(',').map(Number).includes(value);
          const isNamed = (at: number) => {
            const shown = new Date(at + ahead * 60_000);
            const ofMonth = has(days, shown.getUTCDate());
            const ofWeek = has(weekdays, shown.getUTCDay()) || has(weekdays, shown.getUTCDay() + 7);
            const isOn = days === '*' || weekdays === '*' ? ofMonth && ofWeek : ofMonth || ofWeek;
            return isOn && has(hours, shown.getUTCHours()) && has(minutes, shown.getUTCMinutes());
          };
          const limit = Date.UTC(2026, 6, 30);
          let first = Math.floor(after / 60_000) * 60_000 + 60_000;
          while (!isNamed(first) && first < limit) first += 60_000;
          const next = nextTime([cron(parts.join(' '), zone)], after) ?? limit;
          expect(Math.min(next, limit)).toBe(first);
        },
      ),
    );
  });
});
