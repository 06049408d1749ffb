// What becomes of the status of thousands of workers that change at once, and what is kept of their objects.
import { expect, test } from 'vitest';
import { keptOfWorkers } from '../../../launcher/kubernetes/kept-worker.js';
import type { Worker } from '../../../launcher/kubernetes/objects.js';
import { createStatusWriter, type StatusOf } from '../../../launcher/kubernetes/worker-status.js';
import { recordedLog } from '../support/log.js';
import { manualClock } from '../support/manual-clock.js';

function workerOf(number: number): Worker {
  return {
    metadata: {
      name: `builds-${String(number)}`,
      namespace: 'ci',
      uid: `uid-${String(number)}`,
      resourceVersion: String(number),
      creationTimestamp: '2026-01-01T00:00:00Z',
      labels: { 'workers.spacelift.io/workerpool': 'P' },
      annotations: { note: 'not read by the controller' },
      finalizers: ['workers.spacelift.io/worker'],
      ownerReferences: [{ uid: 'pool', kind: 'WorkerPool', name: 'builds' }],
    },
    status: { registered: true, state: 'IDLE', currentRunID: '' },
  };
}

/** Patches that are answered when the test lets them be. */
function start() {
  const clock = manualClock(0);
  const asked: { readonly path: string; readonly state: string; answer(error?: Error): void }[] = [];
  const writer = createStatusWriter({
    api: {
      patch: (path, body) =>
        new Promise((resolve, reject) => {
          const { state } = (body as { status: { state: string } }).status;
          const answer = (error?: Error) => {
            if (error === undefined) resolve(undefined);
            else reject(error);
          };
          asked.push({ path, state, answer });
        }),
    },
    clock,
    log: recordedLog(),
  });
  const of = (number: number): StatusOf & { state: string } => {
    const made = {
      worker: workerOf(number),
      state: 'IDLE',
      written: '',
      read: () => ({ registered: true, state: made.state, currentRunID: '' }),
    };
    return made;
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return { clock, asked, writer, of, settled };
}

test('a thousand changes at once are a few requests at a time', async () => {
  const { asked, writer, of, settled } = start();
  for (let number = 0; number < 1000; number += 1) writer.changed(of(number));
  await settled();
  expect(asked).toHaveLength(16);
  for (let done = 0; done < 1000; done += 1) {
    asked[done]?.answer();
    await settled();
  }
  expect(new Set(asked.map(({ path }) => path)).size).toBe(1000);
});

test('the last word of a worker is written last, and nothing twice', async () => {
  const { asked, writer, of, settled } = start();
  const one = of(1);
  writer.changed(one);
  one.state = 'BUSY';
  writer.changed(one);
  one.state = 'DRAINED';
  writer.changed(one);
  await settled();
  asked[0]?.answer();
  await settled();
  asked[1]?.answer();
  await settled();
  writer.changed(one);
  await settled();
  expect(asked.map(({ state }) => state)).toEqual(['IDLE', 'DRAINED']);
});

test('a line that is back in a moment costs no write, and one that could not be made is made later', async () => {
  const { clock, asked, writer, of, settled } = start();
  const one = of(1);
  writer.changed(one);
  await settled();
  asked[0]?.answer(new Error('away'));
  await settled();
  clock.advance(5_000);
  await settled();
  asked[1]?.answer();
  await settled();
  one.state = 'OFFLINE';
  writer.changed(one);
  one.state = 'IDLE';
  writer.changed(one);
  clock.advance(5_000);
  await settled();
  expect(asked.map(({ state }) => state)).toEqual(['IDLE', 'IDLE']);
});

test('of Worker objects what they have in common is kept once, and what nobody reads not at all', () => {
  const keep = keptOfWorkers();
  const [one, other] = [keep(workerOf(1)), keep(workerOf(2))];
  const { metadata, status } = workerOf(2);
  expect({ ...other, metadata: { ...other.metadata, annotations: metadata.annotations } }).toEqual({
    metadata,
    status,
  });
  expect(other.metadata).not.toHaveProperty('annotations');
  expect(other.metadata.ownerReferences).toBe(one.metadata.ownerReferences);
  expect(other.metadata.labels).toBe(one.metadata.labels);
  expect(other.status).toBe(one.status);
});
