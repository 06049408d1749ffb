// The container launcher-grpc waits for the container worker, and numbers its records behind what it said meanwhile.
import { expect, test } from 'vitest';
import { untilHello } from '../../../launcher/kubernetes/pod/late-worker.js';
import { manualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';

function start() {
  const clock = manualClock(0);
  const sent: string[] = [];
  let stored = 4;
  let greet: (word: string) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const hello = new Promise<string>((resolve, reject) => ([greet, fail] = [resolve, reject]));
  const answer = untilHello(hello, {
    api: {
      sendSpool(body) {
        for (const line of body.toString('utf8').split('\n').filter(Boolean)) {
          sent.push(line);
          stored += 1;
        }
        return Promise.resolve(stored);
      },
    },
    acknowledged: 4,
    clock,
    now: () => clock.now(),
    signal: new AbortController().signal,
  });
  return {
    clock,
    sent,
    answer,
    greet: () => {
      greet('hello');
    },
    fail: () => {
      fail(new Error('gone'));
    },
  };
}

test('one that is there in time is not spoken of', async () => {
  const { clock, sent, answer, greet } = start();
  clock.advance(29_000);
  greet();
  expect(await answer).toEqual({ hello: 'hello', acknowledged: 4 });
  expect(clock.waiting()).toBe(0);
  expect(sent).toEqual([]);
});

test('one that takes its time is told of once, and what follows is numbered behind that', async () => {
  const { clock, sent, answer, greet } = start();
  clock.advance(30_000);
  await until(() => sent.length > 0, 'the line');
  clock.advance(600_000);
  greet();
  expect(await answer).toEqual({ hello: 'hello', acknowledged: 5 });
  expect(sent).toHaveLength(1);
  expect(JSON.parse(sent[0] ?? '')).toMatchObject({ n: 5, k: 'log', s: 'PREPARING' });
  expect(sent[0]).toContain('worker of this pod has not started within 30 s');
});

test('one that never comes is an error, early or late', async () => {
  const early = start();
  early.fail();
  await expect(early.answer).rejects.toThrow('gone');
  const late = start();
  late.clock.advance(30_000);
  late.fail();
  await expect(late.answer).rejects.toThrow('gone');
});
