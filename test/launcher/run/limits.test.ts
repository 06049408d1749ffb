import { describe, expect, it } from 'vitest';
import type { PoolwrightError } from '../../../protocol/errors.js';
import { startLimits } from '../../../launcher/run/limits.js';
import { manualClock } from '../support/manual-clock.js';

function started(run: number, silence: number) {
  const clock = manualClock();
  const over: PoolwrightError[] = [];
  const limits = startLimits({ clock, timeouts: { run, silence }, onOver: (error) => over.push(error) });
  return { clock, over, limits };
}

describe('the limits of a run', () => {
  it('end a run that is silent for too long', () => {
    const { clock, over, limits } = started(60_000, 10_000);
    clock.advance(9_000);
    limits.heard();
    clock.advance(9_999);
    expect(over).toEqual([]);
    clock.advance(1);
    expect(over.map(({ code }) => code)).toEqual(['RUN_SILENT']);
    clock.advance(100_000);
    expect(over).toHaveLength(1);
  });

  it('end a run that takes too long, however much it prints', () => {
    const { clock, over, limits } = started(60_000, 10_000);
    for (let second = 0; second < 60; second += 1) {
      clock.advance(1_000);
      limits.heard();
    }
    expect(over.map(({ code }) => code)).toEqual(['RUN_TIMED_OUT']);
  });

  it('say nothing once they are closed', () => {
    const { clock, over, limits } = started(60_000, 10_000);
    limits.close();
    clock.advance(1_000_000);
    expect(over).toEqual([]);
  });
});
