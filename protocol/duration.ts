// Durations as Go's time.ParseDuration reads them, because the launcher's users write them that way.
// Source: https://pkg.go.dev/time#ParseDuration
import { PoolwrightError } from './errors.js';

/** Nanoseconds. Both Greek letters are read as Go does: U+00B5 and U+03BC. */
const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

const part = /(\d*)(?:\.(\d*))?([^\d.]*)/y;
/** What Go holds in an int64: about 292 years. */
const most = 2n ** 63n - 1n;

/**
 * Milliseconds of a duration such as `7m`, `1000s`, `1h30m`, `1.5h` or `250ms`; parts of a millisecond are
 * kept. Throws INVALID_SETTINGS with what is wrong. `0` needs no unit, everything else does.
 */
export function parseDuration(text: string): number {
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  const body = text.slice(sign.length);
  if (body === '0') return 0;
  if (body === '') throw wrong(text, 'there is no number');
  let total = 0n;
  part.lastIndex = 0;
  while (part.lastIndex < body.length) {
    const [, whole = '', fraction = '', unit = ''] = part.exec(body) ?? [];
    if (whole === '' && fraction === '') throw wrong(text, 'there is no number before a unit');
    if (unit === '') throw wrong(text, `${whole || `.${fraction}`} has no unit`);
    const scale = units[unit];
    if (scale === undefined) throw wrong(text, `${JSON.stringify(unit)} is not a unit`);
    // Digits beyond what an int64 could tell apart change nothing.
    const digits = fraction.slice(0, 18);
    total += BigInt(whole || '0') * scale + (BigInt(digits || '0') * scale) / 10n ** BigInt(digits.length);
    if (total > most) throw wrong(text, 'it is longer than 292 years');
  }
  return (Number(total) / 1e6) * (sign === '-' ? -1 : 1);
}

/** A duration of more than nothing. Same errors. */
export function parseTimeout(text: string): number {
  const duration = parseDuration(text);
  if (duration <= 0) throw wrong(text, 'it must be longer than 0');
  return duration;
}

function wrong(text: string, reason: string): PoolwrightError {
  const shown = text.length <= 40 ? JSON.stringify(text) : `a text of ${String(text.length)} characters`;
  return new PoolwrightError(
    'INVALID_SETTINGS',
    `expected a duration such as "7m", "1000s" or "1h30m" (units: ns, us, ms, s, m, h), got ${shown}: ${reason}`,
  );
}
