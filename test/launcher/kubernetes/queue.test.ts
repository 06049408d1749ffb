// Work by key.
import { expect, test } from 'vitest';
import { createWorkQueue } from '../../../launcher/kubernetes/queue.js';
import { recordedLog } from '../support/log.js';
import { manualClock } from '../support/manual-clock.js';

const settle = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

function start(process: (key: string) => Promise<void>) {
  const clock = manualClock();
  const queue = createWorkQueue({
    process,
    concurrency: 2,
    clock,
    random: () => 0.5,
    log: recordedLog(),
  });
  const pass = async (milliseconds: number) => {
    for (let left = milliseconds; left > 0; left -= 100) {
      clock.advance(100);
      await settle();
    }
  };
  return { queue, pass };
}

test('a key that looks again after every work, and is woken in between, is worked on no more often for it', async () => {
  let count = 0;
  const { queue, pass } = start((key) => {
    count += 1;
    queue.addAfter(key, 30_000);
    return Promise.resolve();
  });
  queue.add('pool');
  for (let wake = 0; wake < 100; wake += 1) {
    queue.addAfter('pool', 200);
    await pass(1_000);
  }
  count = 0;
  await pass(300_000);
  expect(count).toBe(10);
});

test('the earliest time that was asked for counts', async () => {
  let count = 0;
  const { queue, pass } = start(() => {
    count += 1;
    return Promise.resolve();
  });
  queue.addAfter('pool', 5_000);
  queue.addAfter('pool', 300);
  queue.addAfter('pool', 10_000);
  await pass(300);
  expect(count).toBe(1);
  await pass(60_000);
  expect(count).toBe(1);
});

test('a key is never worked on twice at a time, and once more for what came meanwhile', async () => {
  const ends: (() => void)[] = [];
  const { queue } = start(() => new Promise((resolve) => ends.push(resolve)));
  queue.add('pool');
  queue.add('pool');
  queue.add('pool');
  queue.add('other');
  expect(ends).toHaveLength(2);
  ends[0]?.();
  await settle();
  expect(ends).toHaveLength(3);
});

test('a failure is tried again, and nothing after the queue is closed', async () => {
  let count = 0;
  const { queue, pass } = start(() => {
    count += 1;
    return Promise.reject(new Error('away'));
  });
  queue.add('pool');
  await pass(60_000);
  expect(count).toBeGreaterThan(3);
  queue.close();
  count = 0;
  await pass(120_000);
  expect(count).toBe(0);
});
