// Worker objects: their names, how they are made, and what run a worker holds by the Secrets that are there.
import { ulid } from 'ulid';
import { messageOf } from '../../protocol/errors.js';
import { annotations, apiVersion, finalizer, labels } from '../../protocol/kubernetes/names.js';
import type { Log } from '../log.js';
import { paths, type KubeApi } from './api.js';
import { keyOf, ownerReference, type Secret, type Worker, type WorkerPool } from './objects.js';
import { parseRunSecret, type RunSecret } from './pod/assignment-files.js';

/** Workers that are made at the same time. */
export const workersAtOnce = 16;

export function createWorker(api: KubeApi, pool: WorkerPool, id: string): Promise<Worker> {
  const { namespace, name } = pool.metadata;
  return api.create<Worker>(paths.workers(namespace), {
    apiVersion,
    kind: 'Worker',
    metadata: {
      name: `${name}-${ulid().toLowerCase()}`,
      namespace,
      labels: { [labels.workerPool]: id },
      annotations: { [annotations.poolName]: name },
      ownerReferences: [ownerReference('WorkerPool', apiVersion, pool)],
      finalizers: [finalizer],
    },
    spec: {},
  });
}

/** Whether it stays, when it is deleted, until its run is over. */
export function isKept({ metadata }: Worker): boolean {
  return metadata.finalizers?.includes(finalizer) === true;
}

/**
 * Workers that another operator has made become like those of our own; for others there is no request. `note`: takes the
 * API server's answers. Leaves out those that are gone. Throws a conflict when one has changed since it was read: finalizers
 * of others must not come back.
 */
export async function adoptWorkers(
  api: Pick<KubeApi, 'patch'>,
  pool: WorkerPool,
  workers: readonly Worker[],
  note: (worker: Worker) => Worker,
): Promise<readonly Worker[]> {
  const own = workers.filter(isKept);
  const left = workers.filter((worker) => !isKept(worker));
  await inParallel(workersAtOnce, left.length, async () => {
    const worker = left.pop();
    if (worker === undefined) return;
    const { resourceVersion, finalizers = [] } = worker.metadata;
    const adopted = await api.patch<Worker>(workerPath(worker), {
      metadata: {
        resourceVersion,
        annotations: { [annotations.poolName]: pool.metadata.name },
        finalizers: [...finalizers, finalizer],
      },
    });
    if (adopted !== undefined) own.push(note(adopted));
  });
  return own;
}

/** The run that a worker holds, by its run Secrets. */
export function heldBy(found: readonly Secret[], log: Log): RunSecret | undefined {
  // Newest first: an older one is of a run that ended while it was being cleaned up.
  const secrets = [...found].sort((a, b) =>
    b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp),
  );
  for (const secret of secrets) {
    try {
      return parseRunSecret(
        Object.fromEntries(
          Object.entries(secret.data ?? {}).map(([key, data]) => [
            key,
            Buffer.from(data, 'base64').toString('utf8'),
          ]),
        ),
      );
    } catch (error) {
      log.error(`The Secret ${keyOf(secret)} cannot be read: ${messageOf(error)}`);
    }
  }
  return undefined;
}

/** Its name ends with it. */
export function workerIdOf({ metadata }: Worker): string {
  return metadata.name.slice(-26).toUpperCase();
}

export function pathOf({ metadata }: WorkerPool): string {
  return `${paths.pools(metadata.namespace)}/${metadata.name}`;
}

export function workerPath({ metadata }: Worker): string {
  return `${paths.workers(metadata.namespace)}/${metadata.name}`;
}

/** Some at a time: a pool of thousands must not fill the API server's queue. */
export async function inParallel(lanes: number, count: number, step: () => Promise<void>): Promise<void> {
  let left = count;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      await step();
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, count) }, lane));
}
