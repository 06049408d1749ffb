// The invariant of drains can fail, and knows what undrains a worker.
import { describe, expect, it } from 'vitest';
import { startedWhileDrained } from './drains.js';
import type { Happened } from './judge.js';
import type { Witnessed } from './work.js';

const worker = '01HZ000000000000000000000W';

describe('the judge of drains', () => {
  const drain = (from: number, to: number, free = true, of = worker): Happened => ({
    fault: { kind: 'drain', at: 0, launcher: 0, lasts: to - from },
    from,
    to: to + 100,
    workers: new Set([of]),
    undrained: { from: to, to: to + 100 },
    ...(free ? { idle: { from, to } } : {}),
  });
  const began = (at: number): Witnessed[] => [{ marker: 'm', step: 'a', world: `${worker}.r.1`, at }];
  const wrong = [expect.stringContaining('which was drained and idle')];

  it('finds a run that starts on a drained worker, and none before, after, on a busy or on another one', () => {
    expect(startedWhileDrained(began(3_000), [drain(2_000, 4_000)])).toEqual(wrong);
    for (const at of [2_000, 4_000]) {
      expect(startedWhileDrained(began(at), [drain(2_000, 4_000)])).toEqual([]);
    }
    const others = [drain(2_000, 4_000, false), drain(2_000, 4_000, true, '01HZ000000000000000000000X')];
    expect(startedWhileDrained(began(3_000), others)).toEqual([]);
  });

  it('knows that the end of one drain undrains a worker that is drained by another, too', () => {
    const long = drain(2_000, 4_000);
    for (const crossing of [drain(1_500, 2_500), drain(1_500, 2_500, false)]) {
      expect(startedWhileDrained(began(3_000), [crossing, long])).toEqual([]);
      expect(startedWhileDrained(began(2_400), [crossing, long])).not.toEqual([]);
    }
    for (const apart of [drain(1_000, 1_800), drain(2_100, 2_500, true, '01HZ000000000000000000000X')]) {
      expect(startedWhileDrained(began(3_000), [apart, long])).toEqual(wrong);
    }
  });
});
