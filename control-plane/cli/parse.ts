// Readers of single option values. What they refuse is wrong usage.
import { InvalidArgumentError } from 'commander';

/** A whole number in a range. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`Expected a whole number from ${String(least)} to ${String(most)}.`);
    }
    return value;
  };
}

/** A time such as `2030-01-31T04:00Z` or `2030-01-31T04:00+01:00`, local without an offset; in Unix seconds. */
export function moment(text: string): number {
  const at = Date.parse(text);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?$/.test(text) || Number.isNaN(at)) {
    throw new InvalidArgumentError('Expected a time such as 2030-01-31T04:00Z.');
  }
  return Math.floor(at / 1000);
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[v6]:port`, or `:port` for all interfaces. Port 0 takes any free one. */
export function address(text: string): Address {
  const match = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[^:[\]]*)):(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65_535) {
    throw new InvalidArgumentError('Expected host:port, such as 127.0.0.1:4280 or [::1]:4280.');
  }
  const host = match.groups?.['v6'] ?? match.groups?.['host'] ?? '';
  return { host: host === '' ? '0.0.0.0' : host, port };
}
