// Option values that are read: what is taken, and what is refused as wrong usage.
import { describe, expect, it } from 'vitest';
import { moment } from '../../control-plane/cli/parse.js';

describe('a time', () => {
  it('is one of its own offset, or of this machine', () => {
    expect(moment('2030-01-31T04:00Z')).toBe(Date.UTC(2030, 0, 31, 4) / 1000);
    expect(moment('2030-01-31T04:00:05+01:00')).toBe(Date.UTC(2030, 0, 31, 3, 0, 5) / 1000);
    expect(moment('2030-01-31T04:00')).toBe(new Date(2030, 0, 31, 4).getTime() / 1000);
  });

  it.each(['tomorrow', '2030-01-31', '1900000000', '2030-13-31T04:00Z', '2030-01-31T04:00Europe/Berlin', ''])(
    'is not %j',
    (text) => {
      expect(() => moment(text)).toThrow('Expected a time such as');
    },
  );
});
