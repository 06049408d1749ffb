// What pages say of figures, differences and axes.
import { describe, expect, it } from 'vitest';
import { ticksOf } from '../../../control-plane/web/chart.js';
import { differences } from '../../../control-plane/web/difference.js';
import { duration } from '../../../control-plane/web/words.js';

describe('a duration', () => {
  it.each([
    [-5, '0.0 s'],
    [420, '0.4 s'],
    [12_300, '12 s'],
    [60_000, '1 min'],
    [185_000, '3 min 5 s'],
    [3_599_900, '1 h'],
    [7_800_000, '2 h 10 min'],
    [4 * 86_400_000 + 3 * 3_600_000, '4 d 3 h'],
  ])('of %s ms is said as %s', (milliseconds, text) => {
    expect(duration(milliseconds)).toBe(text);
  });
});

describe('the differences of two states', () => {
  it('are the fields that differ, values as text', () => {
    expect(
      differences({ name: 'a', labels: ['x'], same: 1 }, { name: 'b', labels: ['x', 'y'], same: 1 }),
    ).toEqual([
      { field: 'name', before: 'a', after: 'b' },
      { field: 'labels', before: '["x"]', after: '["x","y"]' },
    ]);
  });
  it('are all fields of what was made or deleted', () => {
    expect(differences(null, { name: 'a' })).toEqual([{ field: 'name', before: null, after: 'a' }]);
    expect(differences({ name: 'a' }, null)).toEqual([{ field: 'name', before: 'a', after: null }]);
  });
});

describe('the lines of an axis', () => {
  it.each([
    [0, []],
    [0.7, [0.5, 1]],
    [1, [0.5, 1]],
    [7, [5, 10]],
    [38, [20, 40]],
    [1234, [500, 1000, 1500]],
  ])('up to %s are at %s', (most, ticks) => {
    expect(ticksOf(most)).toEqual(ticks);
  });
  it('are at given values up to the first that is enough', () => {
    expect(ticksOf(70, [1, 10, 60, 120, 300])).toEqual([60, 120]);
    expect(ticksOf(900, [1, 10, 60])).toEqual([10, 60]);
  });
});
