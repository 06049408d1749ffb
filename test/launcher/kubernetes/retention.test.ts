// Which pods of ended runs are kept, and for how long.
import { expect, test } from 'vitest';
import type { Pod } from '../../../launcher/kubernetes/objects.js';
import { endedByNode, keepsFailed, keepsSuccessful, prune } from '../../../launcher/kubernetes/retention.js';
import { annotations } from '../../../protocol/kubernetes/names.js';
import { workerPoolSpec } from '../../../protocol/kubernetes/resources.js';
import { manualClock } from '../support/manual-clock.js';

const noon = Date.parse('2026-01-01T12:00:00Z');

/** Made that many minutes before noon. */
function pod(outcome: 'finished' | 'failed', minutes: number): Pod {
  return {
    metadata: {
      ...{ name: `${outcome}-${String(minutes)}`, namespace: 'ci', uid: 'u', resourceVersion: '1' },
      creationTimestamp: new Date(noon - minutes * 60_000).toISOString(),
      annotations: { [annotations.outcome]: outcome },
    },
  };
}

async function left(spec: object, pods: readonly Pod[]): Promise<string[]> {
  const removed: string[] = [];
  const api = {
    remove: (path: string) => {
      removed.push(path.split('/').at(-1) ?? '');
      return Promise.resolve(undefined);
    },
    patch: () => Promise.reject(new Error('Nothing is to be ended here.')),
  };
  await prune(api, manualClock(noon), pods, workerPoolSpec.parse(spec));
  return pods.map(({ metadata }) => metadata.name).filter((name) => !removed.includes(name));
}

const finished = [pod('finished', 30), pod('finished', 10), pod('finished', 20)];

test.each([
  ['none by default', {}, []],
  ['all with keepSuccessfulPods', { keepSuccessfulPods: true }, ['30', '10', '20']],
  ['the newest with a limit', { successfulPodsHistoryLimit: 2 }, ['10', '20']],
  ['the limit beside the older setting', { keepSuccessfulPods: true, successfulPodsHistoryLimit: 1 }, ['10']],
])('keeps as many successful pods as it says: %s', async (_, spec, names) => {
  expect(await left(spec, finished)).toEqual(names.map((name) => `finished-${name}`));
  expect(keepsSuccessful(workerPoolSpec.parse(spec))).toBe(names.length > 0);
});

test('keeps successful pods for as long as it says', async () => {
  const spec = { keepSuccessfulPods: true, successfulPodsHistoryTTL: '15m' };
  expect(await left(spec, finished)).toEqual(['finished-10']);
});

test('a time to live alone counts none', async () => {
  const spec = { successfulPodsHistoryTTL: '25m', keepSuccessfulPods: false };
  expect(await left(spec, finished)).toEqual(['finished-10', 'finished-20']);
  expect(keepsSuccessful(workerPoolSpec.parse(spec))).toBe(true);
  const failed = Array.from({ length: 7 }, (_, index) => pod('failed', 60 - index));
  const names = failed.map(({ metadata }) => metadata.name);
  expect(await left({ failedPodsHistoryTTL: '59m' }, failed)).toEqual(names.slice(1));
  expect(keepsFailed(workerPoolSpec.parse({ failedPodsHistoryTTL: '59m' }))).toBe(true);
});

test.each([
  ['five by default', {}, 5],
  ['the newest with a limit', { failedPodsHistoryLimit: 2 }, 2],
  ['none with a limit of none', { failedPodsHistoryLimit: 0, failedPodsHistoryTTL: '1h' }, 0],
  ['the limit beside a time', { failedPodsHistoryLimit: 6, failedPodsHistoryTTL: '1h' }, 6],
])('keeps as many failed pods as it says: %s', async (_, spec, count) => {
  const failed = Array.from({ length: 7 }, (_, index) => pod('failed', 10 - index));
  const names = failed.map(({ metadata }) => metadata.name);
  expect(await left(spec, failed)).toEqual(names.slice(names.length - count));
  expect(keepsFailed(workerPoolSpec.parse(spec))).toBe(count > 0);
});

test('counts failed pods apart, and leaves alone those whose run goes on or that are being removed', async () => {
  const running = { ...pod('failed', 90).metadata, annotations: {} };
  const going = { metadata: { ...pod('finished', 80).metadata, deletionTimestamp: 'now' } };
  const pods = [pod('failed', 10), pod('failed', 20), pod('finished', 5), { metadata: running }, going];
  expect(await left({ failedPodsHistoryLimit: 1, failedPodsHistoryTTL: '1h' }, pods)).toEqual([
    'failed-10',
    'failed-90',
    'finished-80',
  ]);
});

test('has the node end a kept pod that runs on half a minute after its server has ended, once', async () => {
  const of = (name: string, seconds: number, more: Partial<Pod> = {}): Pod => {
    const finishedAt = new Date(noon - seconds * 1000).toISOString();
    const containerStatuses = [
      { name: 'launcher-grpc', state: { terminated: { exitCode: 0, finishedAt } } },
      { name: 'worker', state: { waiting: { reason: 'ImagePullBackOff' } } },
    ];
    return {
      metadata: { ...pod('finished', 1).metadata, name },
      spec: { activeDeadlineSeconds: 4200 },
      status: { phase: 'Running', containerStatuses, ...more.status },
      ...(more.spec === undefined ? {} : { spec: more.spec }),
      ...(more.metadata === undefined ? {} : { metadata: more.metadata }),
    };
  };
  const patched: [string, object][] = [];
  const api = {
    remove: () => Promise.resolve(undefined),
    patch: (path: string, body: object) => {
      patched.push([path, body]);
      return Promise.resolve(undefined);
    },
  };
  const pods = [
    of('runs-on', 31),
    of('just-over', 29),
    of('done', 90, { status: { phase: 'Succeeded' } }),
    of('asked', 90, { spec: { activeDeadlineSeconds: 1 } }),
    of('not-told', 90, { metadata: { ...pod('finished', 1).metadata, annotations: {} } }),
  ];
  await prune(api, manualClock(noon), pods, workerPoolSpec.parse({ keepSuccessfulPods: true }));
  expect(patched).toEqual([['/api/v1/namespaces/ci/pods/runs-on', endedByNode]]);
});
