// Brings one WorkerPool in order: credentials, workers, status, and no more old pods than it keeps. Looks at what is there
// and does what is missing, however it came to that.
import { finalizer, labels } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec, WorkerPoolStatus } from '../../protocol/kubernetes/resources.js';
import { createFarewell } from './farewell.js';
import { createFleet, type FleetOptions, type PoolOfWorkers } from './fleet.js';
import type { PoolFigures } from './metrics.js';
import { specOf, type Pod, type Secret, type Worker, type WorkerPool } from './objects.js';
import { createOwnership } from './ownership.js';
import { createCredentialsKeeper } from './pool-credentials.js';
import type { RegistrationOptions } from './registration.js';
import { prune } from './retention.js';
import { pathOf } from './workers.js';

/** What is in memory of the cluster. */
export interface Caches {
  readonly pool: (namespace: string, name: string) => WorkerPool | undefined;
  /** Also those of an earlier pool of the same name. */
  readonly workersOf: (namespace: string, name: string) => readonly Worker[];
  readonly podsOf: (pool: string, namespace: string) => readonly Pod[];
  readonly runSecretsOf: (workerId: string) => readonly Secret[];
  readonly noteWorker: (worker: Worker) => Worker;
}

export interface PoolsOptions extends Omit<FleetOptions, 'runSecretsOf' | 'noteWorker'>, RegistrationOptions {
  readonly caches: Caches;
  /** Milliseconds: Secrets are read again, and old pods looked at. */
  readonly syncPeriod: number;
}

export interface Pools {
  /** `namespace/name` of a WorkerPool. Throws what stood in the way; to be tried again. */
  reconcile(key: string): Promise<void>;
  /** Whether a worker has somebody here, by its ULID. */
  has(workerId: string): boolean;
  podChanged(workerId: string, name: string): void;
  /** Whether workers can take runs may have changed. */
  availabilityChanged(): void;
  figures(): readonly PoolFigures[];
}

/** Milliseconds until the workers of a pool that is deleted are looked at again, unless something happens. */
const lookAtLast = 1_000;

export function createPools(options: PoolsOptions): Pools {
  const { api, caches, recorder, clock } = options;
  const fleet = createFleet({ ...options, runSecretsOf: caches.runSecretsOf, noteWorker: caches.noteWorker });
  const keeper = createCredentialsKeeper({
    ...options,
    onChanged: (key, credentials) => {
      fleet.useCredentials(key, credentials);
    },
  });

  const ownership = createOwnership(options);
  const takeLeave = createFarewell(options);

  async function reconcile(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/');
    const pool = caches.pool(namespace, name);
    keeper.forget(key, pool?.metadata.uid);
    const workers = () => caches.workersOf(namespace, name);
    const own = () => workers().filter((worker) => isOf(worker, pool));
    const spec = pool === undefined ? specOf({ spec: {} }) : specOf(pool);
    // Of a pool that was taken away by force.
    const left = workers().filter((worker) => !isOf(worker, pool));
    await fleet.remove(left);

    if (pool === undefined || pool.metadata.deletionTimestamp !== undefined) {
      await fleet.remove(own());
      // To end the runs that an earlier controller has left.
      const credentials =
        pool === undefined || own().length === 0 ? undefined : await keeper.left(key, pool, spec);
      fleet.end({ key, name, spec: () => spec, ...(credentials === undefined ? {} : { credentials }) }, [
        ...left,
        ...own(),
      ]);
      if (workers().length > 0) options.requeue(key, lookAtLast);
      else if (pool !== undefined) {
        await takeLeave(pool, spec);
        keeper.forget(key);
      }
      return;
    }
    const { credentials, fault } = await keeper.current(key, pool, spec);
    if (credentials === undefined) {
      await patchStatus(pool, { desiredPoolSize: spec.poolSize, message: fault });
      // Whatever an earlier controller has left can be ended without the pool's Secret.
      const left = { key, name, spec: () => spec };
      fleet.resume(left, own());
      fleet.end(left, workers());
      options.requeue(key, options.syncPeriod);
      return;
    }
    const marked = await mark(pool, credentials.token.pool);
    // As it is when a run comes, which may be before the next look at the pool.
    const specNow = () => specOf(caches.pool(namespace, name) ?? { spec });
    const of: PoolOfWorkers = { key, name, credentials, spec: specNow };
    fleet.end(of, workers());
    const connected = fleet.of(key).some(({ registered }) => registered);
    const found = await ownership.look(key, { object: marked, spec, credentials, connected });
    if (found.changed) {
      keeper.outdate(key);
      options.requeue(key, 0);
    }
    await fleet.scale(found.fault === '' ? of : withoutMore(of, own()), marked, own());
    await prune(api, clock, caches.podsOf(credentials.token.pool, namespace), spec);
    await publish(key, marked, spec, { id: credentials.token.pool, fault: found.fault || fault });
    options.requeue(key, options.syncPeriod);
  }

  /** Finalizer and ULID. */
  async function mark(pool: WorkerPool, id: string): Promise<WorkerPool> {
    const { finalizers = [], labels: has = {} } = pool.metadata;
    if (finalizers.includes(finalizer) && has[labels.pool] === id) return pool;
    const patched = await api.patch<WorkerPool>(pathOf(pool), {
      metadata: {
        labels: { [labels.pool]: id },
        finalizers: finalizers.includes(finalizer) ? finalizers : [...finalizers, finalizer],
      },
    });
    recorder.record('WorkerPool', pool, 'Normal', 'WorkerPoolRegistered', `This is the worker pool ${id}.`);
    return patched ?? pool;
  }

  // ——— status

  async function publish(
    key: string,
    pool: WorkerPool,
    spec: WorkerPoolSpec,
    { id, fault }: { readonly id: string; readonly fault: string },
  ): Promise<void> {
    const agents = fleet.of(key);
    const troubled = agents.filter(
      ({ registered, trouble }) => !registered && trouble.tries > spec.mqttReconnectRetryCount,
    );
    const [first] = troubled;
    const message =
      first === undefined
        ? ''
        : `${String(troubled.length)} of ${String(agents.length)} workers cannot connect: ${first.trouble.reason}`;
    if (message !== '') recorder.record('WorkerPool', pool, 'Warning', 'WorkerCannotConnect', message);
    await patchStatus(pool, {
      desiredPoolSize: spec.poolSize,
      actualPoolSize: agents.length,
      autoRegistered: spec.token === undefined,
      selector: `${labels.workerPool}=${id}`,
      message: fault === '' ? message : fault,
    });
  }

  async function patchStatus(pool: WorkerPool, status: WorkerPoolStatus): Promise<void> {
    const same = Object.entries(status).every(([name, value]) => pool.status?.[name] === value);
    if (!same) await api.patch(`${pathOf(pool)}/status`, { status });
  }

  return {
    reconcile,
    has: (workerId) => fleet.has(workerId),
    podChanged: (workerId, name) => {
      fleet.podChanged(workerId, name);
    },
    availabilityChanged: () => {
      fleet.availabilityChanged();
    },
    figures: () => fleet.figures(),
  };
}

/** Workers that nobody lets in would come and go. */
function withoutMore(of: PoolOfWorkers, { length }: readonly Worker[]): PoolOfWorkers {
  return { ...of, spec: () => ({ ...of.spec(), poolSize: Math.min(of.spec().poolSize, length) }) };
}

function isOf(worker: Worker, pool: WorkerPool | undefined): boolean {
  return worker.metadata.ownerReferences?.some(({ uid }) => uid === pool?.metadata.uid) === true;
}
