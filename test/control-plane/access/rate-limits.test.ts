// How often one may ask: at once, over time, and each for itself.
import { describe, expect, it } from 'vitest';
import { createRateLimits } from '../../../control-plane/access/rate-limits.js';

function limits() {
  const clock = { at: 0, now: () => clock.at };
  const rates = {
    key: { perSecond: 2, burst: 4 },
    webhook: { perSecond: 1, burst: 2 },
    address: { perSecond: 1, burst: 1 },
  };
  return { clock, limits: createRateLimits(clock, rates) };
}

const asked = (ask: () => void, times: number): number => {
  for (let count = 0; count < times; count += 1) {
    try {
      ask();
    } catch {
      return count;
    }
  }
  return times;
};

describe('a rate limit', () => {
  it('lets a burst through, then what is refilled', () => {
    const { clock, limits: rates } = limits();
    const ask = () => {
      rates.key('k');
    };
    expect(asked(ask, 10)).toBe(4);
    clock.at += 1000;
    expect(asked(ask, 10)).toBe(2);
    clock.at += 60_000;
    expect(asked(ask, 10)).toBe(4);
  });

  it('goes on as it was when the clock is set back', () => {
    const { clock, limits: rates } = limits();
    const ask = () => {
      rates.key('k');
    };
    expect(asked(ask, 3)).toBe(3);
    clock.at -= 3_600_000;
    expect(asked(ask, 10)).toBe(1);
    clock.at += 1000;
    expect(asked(ask, 10)).toBe(2);
  });

  it('counts each key, each webhook and each address for itself, and says when to come back', () => {
    const { limits: rates } = limits();
    for (const address of ['a', 'b', 'c']) rates.address(address);
    rates.key('a');
    expect(() => {
      rates.address('a');
    }).toThrow(/at most 1 a second.*in 1 s/);
    const told = () => {
      rates.webhook('a');
    };
    expect(asked(told, 10)).toBe(2);
    expect(told).toThrow(/this webhook/);
  });

  it('does not grow without end', () => {
    const { clock, limits: rates } = limits();
    for (let count = 0; count < 30_000; count += 1) {
      clock.at += 1;
      rates.address(`address ${String(count)}`);
    }
    expect(() => {
      rates.address('address 29999');
    }).toThrow();
  });
});
