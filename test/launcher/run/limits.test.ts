import { describe, expect, it } from 'vitest';
import type { PoolwrightError } from '../../../protocol/errors.js';
import { startLimits } from '../../../launcher/run/limits.js';
import { manualClock } from '../support/manual-clock.js';

function started(run: number, silence: number) {
  const clock = manualClock();
  const over: PoolwrightError[] = [];
  const limits = startLimits({
    clock,
    timeouts: { run, silence },
    state: () => 'PREPARING',
    onOver: (error) => over.push(error),
  });
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
    expect(over[0]?.message).toBe(
      'The run was ended in PREPARING because it printed nothing for 10 seconds, the logs timeout of this launcher ' +
        '(SPACELIFT_LAUNCHER_LOGS_TIMEOUT).',
    );
  });

  it('end a run that takes too long, however much it prints', () => {
    const { clock, over, limits } = started(60_000, 10_000);
    for (let second = 0; second < 60; second += 1) {
      clock.advance(1_000);
      limits.heard();
    }
    expect(over.map(({ code }) => code)).toEqual(['RUN_TIMED_OUT']);
    expect(over[0]?.message).toContain('ended in PREPARING after 60 seconds');
  });

  it('do not take for silence what is no business of the run, which has its time all the same', async () => {
    const { clock, over, limits } = started(60_000, 10_000);
    let end: (value: string) => void = () => undefined;
    const apart = limits.apart(() => new Promise<string>((resolve) => (end = resolve)));
    clock.advance(45_000);
    expect(over).toEqual([]);
    end('done');
    expect(await apart).toBe('done');
    // From its end on it is listened to again.
    clock.advance(9_999);
    expect(over).toEqual([]);
    clock.advance(1);
    expect(over.map(({ code }) => code)).toEqual(['RUN_SILENT']);
    const long = started(60_000, 10_000);
    void long.limits.apart(() => new Promise(() => undefined));
    long.clock.advance(60_000);
    expect(long.over.map(({ code }) => code)).toEqual(['RUN_TIMED_OUT']);
  });

  it('listen again also when that has failed', async () => {
    const { clock, over, limits } = started(60_000, 10_000);
    await expect(limits.apart(() => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    clock.advance(10_000);
    expect(over.map(({ code }) => code)).toEqual(['RUN_SILENT']);
  });

  it('say nothing once they are closed', () => {
    const { clock, over, limits } = started(60_000, 10_000);
    limits.close();
    clock.advance(1_000_000);
    expect(over).toEqual([]);
  });
});
