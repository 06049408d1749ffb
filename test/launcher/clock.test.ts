// The system's clock, by timers that the test moves.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../launcher/clock.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const day = 86_400_000;

it('calls back after more days than a timer can hold, and not before', () => {
  let called = 0;
  systemClock.after(100 * day, () => (called += 1));
  vi.advanceTimersByTime(100 * day - 1);
  expect(called).toBe(0);
  vi.advanceTimersByTime(1);
  expect(called).toBe(1);
});

it('can be told not to, also later than a timer can hold', () => {
  let called = 0;
  const cancel = systemClock.after(100 * day, () => (called += 1));
  vi.advanceTimersByTime(60 * day);
  cancel();
  vi.advanceTimersByTime(60 * day);
  expect(called).toBe(0);
});
