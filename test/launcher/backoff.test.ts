// How launchers that lost the same control plane come back: spread out, whatever the moment.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBackoff } from '../../launcher/backoff.js';
import { reconnect } from '../../launcher/connection/keeper.js';

/** A small generator of its own (mulberry32), so that a failure can be repeated by its seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const { base, ceiling } = reconnect;

describe('the wait before a launcher connects again', () => {
  test('is a random part of a doubling time that has an end', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 0, max: 60 }), (seed, failures) => {
        const backoff = createBackoff({ base, ceiling, random: randomOf(seed) });
        for (let failure = 0; failure < failures; failure += 1) backoff.next();
        const wait = backoff.next();
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThan(Math.min(ceiling, base * 2 ** failures));
        backoff.reset();
        expect(backoff.next()).toBeLessThan(base);
      }),
    );
  });

  test('takes every length alike', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 0, max: 10 }), (seed, failures) => {
        const random = randomOf(seed);
        const most = Math.min(ceiling, base * 2 ** failures);
        const tenths = new Array<number>(10).fill(0);
        const launchers = 5_000;
        for (let launcher = 0; launcher < launchers; launcher += 1) {
          const backoff = createBackoff({ base, ceiling, random });
          for (let failure = 0; failure < failures; failure += 1) backoff.next();
          const tenth = Math.floor((backoff.next() / most) * 10);
          tenths[tenth] = (tenths[tenth] ?? 0) + 1;
        }
        // Five times the standard deviation of a tenth of 5,000.
        for (const count of tenths) expect(Math.abs(count - launchers / 10)).toBeLessThan(5 * 21.3);
      }),
      { numRuns: 20 },
    );
  });
});

describe('10,000 launchers whose control plane is away for a while', () => {
  /** Milliseconds after its return at which each launcher connects. */
  function returns(seed: number, away: number): number[] {
    const random = randomOf(seed);
    return Array.from({ length: 10_000 }, () => {
      const backoff = createBackoff({ base, ceiling, random });
      let time = 0;
      while (time < away) time += backoff.next();
      return time - away;
    });
  }

  test('are all back within the longest wait, and no second has much more than its share', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 20_000, max: 600_000 }), (seed, away) => {
        const seconds = new Array<number>(Math.ceil(ceiling / 1000)).fill(0);
        for (const time of returns(seed, away)) {
          expect(time).toBeLessThan(ceiling);
          const second = Math.floor(time / 1000);
          seconds[second] = (seconds[second] ?? 0) + 1;
        }
        // Whoever looks at a random moment finds a wait of mean length ceiling / 2 begun: the first second is the fullest.
        const share = (2 * 10_000) / (ceiling / 1000);
        for (const count of seconds) expect(count).toBeLessThan(share * 1.2);
      }),
      { numRuns: 15 },
    );
  });
});
