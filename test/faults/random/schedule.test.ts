// A round is repeated by its seed: the schedule is the same every time, and another one for another seed.
import { describe, expect, it } from 'vitest';
import { scheduleOf } from './schedule.js';

describe('the schedule of a round', () => {
  it('is the same for the same seed', () => {
    for (let seed = 0; seed < 50; seed += 1) expect(scheduleOf(seed)).toEqual(scheduleOf(seed));
  });

  it('is another one for another seed', () => {
    const all = new Set(
      Array.from({ length: 200 }, (_, seed) => JSON.stringify({ ...scheduleOf(seed), seed: 0 })),
    );
    expect(all.size).toBe(200);
  });

  it('brings every kind of fault within some rounds', () => {
    const kinds = new Set(
      Array.from({ length: 300 }, (_, seed) => scheduleOf(seed).faults.map(({ kind }) => kind)).flat(),
    );
    expect([...kinds].sort()).toHaveLength(21);
  });
});
