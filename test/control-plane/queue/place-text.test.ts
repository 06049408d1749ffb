// How runs are told to people.
import { expect, it } from 'vitest';
import { lastPlace } from '../../control-plane/cli/api/runs.js';
import { placeText } from '../../control-plane/cli/run-text.js';
import { lastPosition } from '../../control-plane/queue/position.js';

it('a place in the queue is a number as far as places are counted', () => {
  expect(lastPlace).toBe(lastPosition);
  expect(placeText(1)).toBe('1');
  expect(placeText(10_000)).toBe('10000');
  expect(placeText(10_001)).toBe('10,001 or later');
});
