// The signs of life that a run pod gives: how often, until when, and what ends them.
import { expect, test } from 'vitest';
import { giveSigns } from '../../../launcher/kubernetes/pod/signs-of-life.js';
import { PoolwrightError } from '../../../protocol/errors.js';
import { rhythm } from '../../../protocol/limits.js';
import { recordedLog } from '../support/log.js';
import { manualClock } from '../support/manual-clock.js';

function start(answer: () => Promise<void>) {
  const clock = manualClock(0);
  const log = recordedLog();
  const over = new AbortController();
  const seen = { signs: 0, stale: 0 };
  const done = giveSigns({
    alive: () => {
      seen.signs += 1;
      return answer();
    },
    signal: over.signal,
    onStale: () => (seen.stale += 1),
    clock,
    log,
  });
  const pass = async (milliseconds: number) => {
    clock.advance(milliseconds);
    await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return { seen, pass, done, over, log };
}

test('one in each interval, until the run is over', async () => {
  const { seen, pass, done, over } = start(() => Promise.resolve());
  await pass(rhythm.podSign - 1);
  expect(seen.signs).toBe(0);
  for (let time = 0; time < 4; time += 1) await pass(rhythm.podSign);
  expect(seen.signs).toBe(4);
  over.abort();
  await done;
  await pass(5 * rhythm.podSign);
  expect(seen).toEqual({ signs: 4, stale: 0 });
});

test('when the attempt no longer counts, the run is ended', async () => {
  const { seen, pass, done } = start(() => Promise.reject(new PoolwrightError('STALE_ATTEMPT', 'lost')));
  await pass(rhythm.podSign);
  await done;
  expect(seen).toEqual({ signs: 1, stale: 1 });
});

test('a control plane that knows no such signs ends them, and not the run', async () => {
  const { seen, pass, done, log } = start(() =>
    Promise.reject(new PoolwrightError('NOT_FOUND', 'no such path')),
  );
  await pass(rhythm.podSign);
  await done;
  expect(seen).toEqual({ signs: 1, stale: 0 });
  expect(log.lines.map(({ message }) => message).join()).toMatch(
    /No further signs of life are given: no such path/,
  );
});

test('a run that ends while one is under way is not ended again', async () => {
  let refuse: (error: Error) => void = () => undefined;
  const { seen, pass, done, over } = start(() => new Promise<void>((_, reject) => (refuse = reject)));
  await pass(rhythm.podSign);
  over.abort();
  refuse(new PoolwrightError('STALE_ATTEMPT', 'it has ended'));
  await done;
  expect(seen).toEqual({ signs: 1, stale: 0 });
});
