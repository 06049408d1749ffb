// Who is let go when nobody looks after it any more, and who is not.
import { expect, test } from 'vitest';
import { releaseOrphans } from '../../../launcher/kubernetes/orphans.js';
import { finalizer, labels } from '../../../protocol/kubernetes/names.js';
import { recordedLog } from '../support/log.js';

const object = (name: string, worker: string, how: object = {}) => ({
  metadata: {
    ...{ name, namespace: 'ci', uid: name, resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
    labels: { [labels.worker]: worker },
    finalizers: [finalizer],
    deletionTimestamp: '2026-01-01T00:00:00Z',
    ...how,
  },
});

test('lets go what is being deleted and belongs to no worker, and nothing else', async () => {
  const released: string[] = [];
  await releaseOrphans({
    api: {
      removeFinalizer: (path, which) => {
        released.push(`${path} ${which}`);
        return Promise.resolve(undefined);
      },
    },
    pods: [
      object('orphan', 'GONE'),
      object('looked-after', 'THERE'),
      object('at-work', 'GONE', { deletionTimestamp: undefined }),
      object('somebody-elses', 'GONE', { finalizers: ['example.com/other'] }),
    ],
    secrets: [object('orphan', 'GONE'), object('looked-after', 'THERE')],
    isThere: (worker) => worker === 'THERE',
    log: recordedLog(),
  });
  expect(released).toEqual([
    `/api/v1/namespaces/ci/pods/orphan ${finalizer}`,
    `/api/v1/namespaces/ci/secrets/orphan ${finalizer}`,
  ]);
});
