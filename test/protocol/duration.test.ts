// Durations are read as Go reads them.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDuration, parseTimeout } from '../../protocol/duration.js';
import { refusal } from './support/refusals.js';

// Expected values as printed by time.ParseDuration of Go, in milliseconds.
const good: readonly [string, number][] = [
  ['0', 0],
  ['7m', 420_000],
  ['1000s', 1_000_000],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['250ms', 250],
  ['1.s', 1000],
  ['.5s', 500],
  ['+5s', 5000],
  ['-1.5m', -90_000],
  ['1us', 0.001],
  ['1µs', 0.001],
  ['1μs', 0.001],
  ['1000000ns', 1],
  ['1h1m1s1ms', 3_661_001],
  ['0.3333333333333333333h', 1_199_999.999999],
  ['3s2h', 7_203_000],
];

const bad = [
  '',
  ' ',
  '7',
  '7 m',
  'm',
  '.',
  '.s',
  '1.5',
  '1h30',
  '-',
  '+',
  '--1s',
  '1d',
  '1M',
  '1e3s',
  '0x1s',
  '1,5h',
  'seven',
];

describe('a duration', () => {
  test.each(good)('%s has the length that Go gives it', (text, milliseconds) => {
    expect(parseDuration(text)).toBeCloseTo(milliseconds, 5);
  });

  test.each(bad)('%j is refused with the form that is expected', (text) => {
    const error = refusal(() => parseDuration(text));
    expect(error.code).toBe('INVALID_SETTINGS');
    expect(error.message).toContain('"7m"');
  });

  test('is refused when Go could not hold it', () => {
    expect(refusal(() => parseDuration('2562048h')).message).toContain('292 years');
    expect(parseDuration('2562047h')).toBe(2_562_047 * 3_600_000);
  });

  test('of whole units is the sum of its parts, in any order', () => {
    const factors = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const;
    const unit = fc.constantFrom('h', 'm', 's', 'ms');
    const parts = fc.array(fc.tuple(fc.integer({ min: 0, max: 1000 }), unit), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(parts, (list) => {
        const text = list.map(([amount, name]) => `${String(amount)}${name}`).join('');
        const sum = list.reduce((total, [amount, name]) => total + amount * factors[name], 0);
        expect(parseDuration(text)).toBe(sum);
      }),
    );
  });

  test('as a timeout must be longer than nothing', () => {
    expect(refusal(() => parseTimeout('0')).message).toContain('longer than 0');
    expect(refusal(() => parseTimeout('-1s')).message).toContain('longer than 0');
  });

  test('is not quoted in the error when it is as long as a secret', () => {
    const secret = 'x'.repeat(60);
    expect(refusal(() => parseDuration(secret)).message).not.toContain(secret);
  });
});
