// What becomes of the pod of a run that is over: kept or removed, and how it ends when it is kept.
import { beforeAll, expect, test } from 'vitest';
import type { KubeApi } from '../../../launcher/kubernetes/api.js';
import type { ContainerStatus, Pod } from '../../../launcher/kubernetes/objects.js';
import { runObjects } from '../../../launcher/kubernetes/run-objects.js';
import { annotations } from '../../../protocol/kubernetes/names.js';
import { workerPoolSpec } from '../../../protocol/kubernetes/resources.js';
import { assignment } from '../../protocol/support/messages.js';
import { makePool, type TestPool } from '../support/pool.js';
import { worker } from './support/world.js';

let pool: TestPool;
beforeAll(async () => {
  pool = await makePool();
});

const ended = (name: string): ContainerStatus => ({ name, state: { terminated: { exitCode: 0 } } });
const running = (name: string): ContainerStatus => ({ name, state: { running: {} } });

/** What is asked of the API server about the pod. */
async function cleanUp(spec: object, status: NonNullable<Pod['status']>, outcome: 'finished' | 'failed') {
  const asked: object[] = [];
  const api: Partial<KubeApi> = {
    patch: (_, body) => {
      asked.push(body);
      return Promise.resolve(undefined);
    },
    remove: (path) => {
      asked.push({ removed: path.split('/').at(-2) });
      return Promise.resolve(undefined);
    },
    removeFinalizer: () => Promise.resolve(undefined),
  };
  const objects = runObjects({
    api: api as KubeApi,
    pods: { get: () => ({ metadata: worker.metadata, status }), note: (made) => made },
    worker,
    workerId: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    secret: {
      ...{
        assignment,
        privateKey: pool.key,
        authorities: [],
        defaultImage: 'runner',
        customBinariesPath: '',
      },
      ...{ grace: 1, metadata: {}, greeting: '' },
    },
    spec: workerPoolSpec.parse(spec),
    launcherImage: 'launcher',
  });
  await objects.cleanUp(outcome);
  return asked;
}

const told = (outcome: string) => ({
  metadata: { annotations: { [annotations.outcome]: outcome }, finalizers: [] },
});
const kept = { successfulPodsHistoryLimit: 1 };
const own = [ended('launcher-grpc'), running('worker')];

test('a pod whose worker is about to end is kept as it ends', async () => {
  const status = { phase: 'Running', containerStatuses: own };
  expect(await cleanUp(kept, status, 'finished')).toEqual([told('finished')]);
  expect(await cleanUp({}, status, 'failed')).toEqual([told('failed')]);
});

test('a pod that something runs on in, beside the run, is ended by its node and kept', async () => {
  const patch = { ...told('finished'), spec: { activeDeadlineSeconds: 1 } };
  const starting = { name: 'beside', state: { waiting: { reason: 'ContainerCreating' } } };
  for (const beside of [running('beside'), starting])
    expect(
      await cleanUp(kept, { phase: 'Running', containerStatuses: [...own, beside] }, 'finished'),
    ).toEqual([patch]);
  expect(
    await cleanUp(kept, { phase: 'Running', containerStatuses: [...own, ended('beside')] }, 'finished'),
  ).toEqual([told('finished')]);
});

test('a pod that is not kept is removed, whatever runs in it', async () => {
  const status = { phase: 'Running', containerStatuses: [...own, running('beside')] };
  expect(await cleanUp({}, status, 'finished')).toEqual([told('finished'), { removed: 'pods' }]);
});
