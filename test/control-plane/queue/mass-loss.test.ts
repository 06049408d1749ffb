// Alone or with most of the pool: what is concluded from the times of contacts alone.
import { describe, expect, it } from 'vitest';
import { cutBy, judge } from '../../../control-plane/queue/mass-loss.js';
import { rhythm } from '../../../protocol/limits.js';

const worker = { last: 100_000, noticed: 120_000 };
/** As far before or after the worker's last contact. */
const at = (...seconds: number[]) => seconds.map((second) => worker.last + second * 1000);

describe('a line was cut', () => {
  it('at the latest when the next report was due, or when it was noticed', () => {
    expect(cutBy(worker)).toBe(worker.last + rhythm.heartbeat);
    expect(cutBy({ last: 100_000, noticed: 103_000 })).toBe(103_000);
  });
});

describe('a worker that is out of contact', () => {
  it.each([
    ['alone, while the others were heard of since', at(0), at(10, 11, 12, 19), 5],
    ['alone, when it is the whole pool', at(0), [], 1],
    ['alone, when the pool has one more of them', at(0, 1), [], 2],
    ['alone, when two of three did', at(0, 1), at(15), 3],
    ['alone, with exactly half of the pool', at(0, 1, 2), at(15, 15, 15), 6],
    ['alone, when the others went minutes ago or later', at(-120, -60, 0, 60), [], 4],
    ['alone, though most went at once: another time', at(0, 100, 101, 102), [], 4],
    ['together, with one more than half', at(0, 1, 2, 3), at(15, 15, 15), 7],
    ['together, with three of three, as far apart as silence is noticed', at(-15, 0, 15), [], 3],
    ['open, while it is not known of enough of the others', at(0, 1), at(9, 9), 4],
    ['open, when nobody was heard of since', at(0), at(1, 2, 9), 4],
    ['alone, when too few are in doubt', at(0), at(9, 15, 15), 4],
    ['alone, when those told to leave make it too few', at(0, 1, 2), [], 6],
  ])('went %s', (words, missed, present, all) => {
    const [went = ''] = words.split(',');
    expect(judge(worker, { missed, present, all }).went).toBe(went);
  });

  it('is counted with those around it, as many as fit', () => {
    const missed = at(-40, -29, -20, 0, 5, 9, 31, 200);
    expect(judge(worker, { missed, present: [], all: 7 })).toEqual({ went: 'together', workers: 4 });
  });
});
