// A worker looks again and again whether it can take a run, and tells when that changes.
import { describe, expect, it } from 'vitest';
import { PoolwrightError } from '../../protocol/errors.js';
import { watchFitness } from '../../launcher/fitness.js';
import { recordedLog } from './support/log.js';
import { manualClock } from './support/manual-clock.js';

function watched() {
  const clock = manualClock();
  const log = recordedLog();
  const state = { fault: undefined as Error | undefined, told: [] as (string | null)[] };
  const fitness = watchFitness({
    check: () => (state.fault === undefined ? Promise.resolve() : Promise.reject(state.fault)),
    onChange: () => state.told.push(fitness.fault),
    clock,
    log,
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { clock, log, state, fitness, settle };
}

describe('the fitness of a worker', () => {
  it('is told when it changes, and looked at without being asked', async () => {
    const { clock, log, state, fitness, settle } = watched();
    await fitness.look();
    expect(state.told).toEqual([]);
    state.fault = new PoolwrightError('DISK_FULL', 'The worker has 3 MB left.');
    clock.advance(10_000);
    await settle();
    expect(state.told).toEqual(['The worker has 3 MB left.']);
    state.fault = undefined;
    clock.advance(2_000);
    await settle();
    expect(state.told).toEqual(['The worker has 3 MB left.', null]);
    expect(log.lines.map(({ level }) => level)).toEqual(['error', 'info']);
  });

  it('is not told by a look that ends after the launcher', async () => {
    const { state, fitness, clock, settle } = watched();
    state.fault = new Error('no');
    const look = fitness.look();
    fitness.close();
    await look;
    clock.advance(60_000);
    await settle();
    expect(state.told).toEqual([]);
  });
});
