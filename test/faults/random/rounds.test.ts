// A round of the faults suite for each kind of fleet, with fixed seeds, as CI does them; `npm run test:faults` does as
// many as one likes.
import { describe, expect, it } from 'vitest';
import { available } from '../../support/skips.js';
import { lackingFor } from './kinds.js';
import { performAll } from './lanes.js';
import { createReporter } from './report.js';
import { scheduleOf } from './schedule.js';

/** Of each kind one in which something comes that only this kind has. */
const seeds = [3, 10, 31, 40];

describe('rounds of random faults', () => {
  it('leave every invariant as it was', { timeout: 240_000 }, async () => {
    const schedules = seeds.map(scheduleOf).filter(({ fleet }) => {
      const lacking = lackingFor(fleet);
      return available(
        `faults on a fleet of the kind ${fleet}`,
        lacking === undefined,
        `no ${lacking ?? ''}`,
      );
    });
    expect(new Set(seeds.map((seed) => scheduleOf(seed).fleet)).size).toBe(seeds.length);
    let said = '';
    const out = (text: string) => (said += text);
    const reporter = createReporter(
      { seed: 0, rounds: schedules.length, json: false },
      { answer: out, progress: out },
    );
    await performAll(schedules, 2, reporter, new AbortController().signal);
    expect(reporter.close(false), said).toBe(0);
  });
});
