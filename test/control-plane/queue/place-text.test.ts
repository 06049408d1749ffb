// How a place in a queue is told to people.
import { expect, it } from 'vitest';
import { placeText } from '../../../control-plane/queue/place-text.js';

it('a place in the queue is a number as far as places are counted', () => {
  expect(placeText(1)).toBe('1');
  expect(placeText(10_000)).toBe('10,000');
  expect(placeText(10_001)).toBe('10,001 or later');
});
