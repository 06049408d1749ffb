// A few rounds of the faults suite with fixed seeds, as CI does them; `npm run test:faults` does as many as one likes.
import { describe, expect, it } from 'vitest';
import { performAll } from './lanes.js';
import { createReporter } from './report.js';

describe('rounds of random faults', () => {
  it('leave every invariant as it was', { timeout: 240_000 }, async () => {
    let said = '';
    const options = { seed: 1, rounds: 4, lanes: 2, json: false };
    const out = (text: string) => (said += text);
    const reporter = createReporter(options, { answer: out, progress: out });
    await performAll(options, reporter, new AbortController().signal);
    expect(reporter.close(false), said).toBe(0);
  });
});
