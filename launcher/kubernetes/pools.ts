// Brings one WorkerPool and its workers in order: credentials, as many workers as it should have, an agent for each, its
// status, and no more old pods than it keeps. Looks at what is there and does what is missing, however it came to that.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { finalizer, labels } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec, WorkerPoolStatus } from '../../protocol/kubernetes/resources.js';
import { startAgent, type Agent, type AgentDependencies } from './agent.js';
import { paths } from './api.js';
import {
  cannotRegister,
  credentialsOf,
  fingerprintOf,
  readSecretKey,
  type PoolCredentials,
} from './credentials.js';
import type { PoolFigures } from './metrics.js';
import { keyOf, specOf, type Pod, type Secret, type Worker, type WorkerPool } from './objects.js';
import { prune } from './retention.js';
import {
  createWorker,
  heldBy,
  inParallel,
  pathOf,
  workerIdOf,
  workerPath,
  workersAtOnce,
} from './workers.js';
import { deregister, registered, registrationSecret, type RegistrationOptions } from './registration.js';

/** What is in memory of the cluster. */
export interface Caches {
  readonly pool: (namespace: string, name: string) => WorkerPool | undefined;
  readonly workersOf: (pool: WorkerPool) => readonly Worker[];
  readonly podsOf: (pool: string, namespace: string) => readonly Pod[];
  readonly runSecretsOf: (workerId: string) => readonly Secret[];
}

export interface PoolsOptions extends Omit<AgentDependencies, 'onChange'>, RegistrationOptions {
  readonly caches: Caches;
  readonly requeue: (key: string, milliseconds?: number) => void;
}

export interface Pools {
  /** `namespace/name` of a WorkerPool. Throws what stood in the way; to be tried again. */
  reconcile(key: string): Promise<void>;
  podChanged(workerId: string, name: string): void;
  figures(): readonly PoolFigures[];
}

interface Known {
  spec: WorkerPoolSpec;
  credentials: PoolCredentials;
}

/** Milliseconds: Secrets are looked at again, and old pods. */
const lookAgain = 30_000;

export function createPools(options: PoolsOptions): Pools {
  const { api, caches, recorder, clock, log } = options;
  const known = new Map<string, Known>();
  /** By ULID of the worker. */
  const agents = new Map<string, { readonly agent: Agent; readonly pool: string; readonly ulid: string }>();

  async function reconcile(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/');
    const pool = caches.pool(namespace, name);
    if (pool === undefined) {
      known.delete(key);
      return;
    }
    const spec = specOf(pool);
    const before = known.get(key);
    if (before !== undefined) before.spec = spec;
    if (pool.metadata.deletionTimestamp !== undefined) {
      await remove(key, pool, spec);
      return;
    }
    const credentials = await credentialsFor(pool, spec, before?.credentials);
    if (credentials === undefined) {
      options.requeue(key, lookAgain);
      return;
    }
    if (before === undefined) known.set(key, { spec, credentials });
    else if (before.credentials.fingerprint !== credentials.fingerprint) {
      before.credentials = credentials;
      recorder.record(
        'WorkerPool',
        pool,
        'Normal',
        'CredentialsChanged',
        'Token or key has changed; workers connect again.',
      );
      for (const { agent, pool: of } of agents.values()) if (of === key) agent.useCredentials(credentials);
    }
    const marked = await mark(pool, credentials.token.pool);
    endWorkers(key, pool);
    await scale(key, marked, spec, credentials);
    await prune(api, clock, caches.podsOf(credentials.token.pool, namespace), spec);
    await publish(key, marked, spec, credentials.token.pool);
    options.requeue(key, lookAgain);
  }

  // ——— credentials

  async function credentialsFor(
    pool: WorkerPool,
    spec: WorkerPoolSpec,
    before: PoolCredentials | undefined,
  ): Promise<PoolCredentials | undefined> {
    const { namespace } = pool.metadata;
    try {
      const pair =
        spec.token === undefined || spec.privateKey === undefined
          ? await registered(options, pool, spec)
          : {
              token: await readSecretKey(api, namespace, spec.token.secretKeyRef),
              privateKey: await readSecretKey(api, namespace, spec.privateKey.secretKeyRef),
            };
      if (before?.fingerprint === fingerprintOf(pair.token, pair.privateKey)) return before;
      return credentialsOf(pair.token, pair.privateKey, clock.now());
    } catch (error) {
      if (!(error instanceof PoolwrightError)) throw error;
      const message = cannotRegister(error);
      recorder.record('WorkerPool', pool, 'Warning', 'WorkerPoolCannotRegister', message);
      log.error(message, { pool: keyOf(pool) });
      // Workers that are connected stay so: what is wrong is the Secret, not the pool.
      if (before !== undefined) return before;
      await patchStatus(pool, { desiredPoolSize: spec.poolSize, message });
      return undefined;
    }
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

  // ——— workers

  /** Idle ones first, the newest of them; one that has a run goes when that is over. */
  async function scale(
    key: string,
    pool: WorkerPool,
    spec: WorkerPoolSpec,
    credentials: PoolCredentials,
  ): Promise<void> {
    const id = credentials.token.pool;
    const all = caches.workersOf(pool).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    // After a change to the token of another pool, the workers of the one before go.
    const foreign = all.filter(({ metadata }) => metadata.labels?.[labels.workerPool] !== id);
    const own = all.filter(({ metadata }) => metadata.labels?.[labels.workerPool] === id);
    for (const worker of own) ensureAgent(key, pool, worker, credentials);
    const surplus = own
      .map((worker) => ({ worker, busy: agents.get(workerIdOf(worker))?.agent.busy === true }))
      .sort(
        (a, b) =>
          Number(a.busy) - Number(b.busy) || b.worker.metadata.name.localeCompare(a.worker.metadata.name),
      )
      .slice(0, Math.max(0, own.length - spec.poolSize))
      .map(({ worker }) => worker);
    for (const worker of [...foreign, ...surplus]) await api.remove(workerPath(worker));
    await inParallel(workersAtOnce, Math.max(0, spec.poolSize - own.length), async () => {
      const worker = await createWorker(api, pool, id);
      ensureAgent(key, pool, worker, credentials);
    });
  }

  function ensureAgent(key: string, pool: WorkerPool, worker: Worker, credentials: PoolCredentials): Agent {
    const workerId = workerIdOf(worker);
    const there = agents.get(workerId);
    if (there !== undefined) return there.agent;
    const held = heldBy(caches.runSecretsOf(workerId), log);
    const agent = startAgent(
      {
        ...options,
        onChange: () => {
          options.requeue(key, 200);
        },
      },
      {
        worker,
        workerId,
        credentials,
        spec: () => known.get(key)?.spec ?? specOf(pool),
        poolName: pool.metadata.name,
        ...(held === undefined ? {} : { held }),
      },
    );
    agents.set(workerId, { agent, pool: key, ulid: credentials.token.pool });
    return agent;
  }

  /** Workers that are being deleted: in order, and then without their finalizer. */
  function endWorkers(key: string, pool: WorkerPool): void {
    const credentials = known.get(key)?.credentials;
    for (const worker of caches.workersOf(pool)) {
      if (worker.metadata.deletionTimestamp === undefined) continue;
      if (worker.metadata.finalizers?.includes(finalizer) !== true) continue;
      const workerId = workerIdOf(worker);
      // One that still has a run from before this controller began has an agent for it, too.
      const agent =
        agents.get(workerId)?.agent ??
        (credentials !== undefined && heldBy(caches.runSecretsOf(workerId), log) !== undefined
          ? ensureAgent(key, pool, worker, credentials)
          : undefined);
      const ended = agent?.leave('the Worker was deleted') ?? Promise.resolve();
      void ended.then(async () => {
        try {
          await api.patch(workerPath(worker), {
            metadata: {
              finalizers: worker.metadata.finalizers?.filter((other) => other !== finalizer) ?? [],
            },
          });
          agents.delete(workerId);
        } catch (error) {
          log.warn(`${keyOf(worker)} could not be let go: ${messageOf(error)}`);
        }
        options.requeue(key, 200);
      });
    }
  }

  async function remove(key: string, pool: WorkerPool, spec: WorkerPoolSpec): Promise<void> {
    if (!known.has(key)) {
      // To end runs of workers that an earlier controller has left.
      const credentials = await credentialsFor(pool, spec, undefined).catch(() => undefined);
      if (credentials !== undefined) known.set(key, { spec, credentials });
    }
    const workers = caches.workersOf(pool);
    for (const worker of workers)
      if (worker.metadata.deletionTimestamp === undefined) await api.remove(workerPath(worker));
    endWorkers(key, pool);
    if (workers.length > 0) {
      options.requeue(key, 1000);
      return;
    }
    if (spec.token === undefined) {
      await deregister(options, pool, spec).catch((error: unknown) => {
        // Thrown, so that the queue tries again: once the object is gone, nobody would remove the pool.
        if (error instanceof PoolwrightError && error.code === 'UNAVAILABLE') throw error;
        log.warn(`The pool of ${keyOf(pool)} could not be removed at the control plane: ${messageOf(error)}`);
      });
      await api.remove(`${paths.secrets(pool.metadata.namespace)}/${registrationSecret(pool)}`);
    }
    await api.patch(pathOf(pool), {
      metadata: { finalizers: pool.metadata.finalizers?.filter((other) => other !== finalizer) ?? [] },
    });
    known.delete(key);
  }

  // ——— status

  async function publish(key: string, pool: WorkerPool, spec: WorkerPoolSpec, id: string): Promise<void> {
    const own = [...agents.values()].filter(({ pool: of }) => of === key);
    const troubled = own.filter(
      ({ agent }) => !agent.registered && agent.trouble.tries > spec.mqttReconnectRetryCount,
    );
    const [first] = troubled;
    const message =
      first === undefined
        ? ''
        : `${String(troubled.length)} of ${String(own.length)} workers cannot connect: ${first.agent.trouble.reason}`;
    if (message !== '') recorder.record('WorkerPool', pool, 'Warning', 'WorkerCannotConnect', message);
    await patchStatus(pool, {
      desiredPoolSize: spec.poolSize,
      actualPoolSize: own.length,
      autoRegistered: spec.token === undefined,
      selector: `${labels.workerPool}=${id}`,
      message,
    });
  }

  async function patchStatus(pool: WorkerPool, status: WorkerPoolStatus): Promise<void> {
    const same = Object.entries(status).every(([name, value]) => pool.status?.[name] === value);
    if (!same) await api.patch(`${pathOf(pool)}/status`, { status });
  }

  return {
    reconcile,
    podChanged(workerId, name) {
      agents.get(workerId)?.agent.podChanged(name);
    },
    figures() {
      const pools = new Map<string, { workers: number; idle: number }>();
      for (const { agent, ulid: of } of agents.values()) {
        const figures = pools.get(of) ?? { workers: 0, idle: 0 };
        pools.set(of, { workers: figures.workers + 1, idle: figures.idle + (agent.busy ? 0 : 1) });
      }
      return [...pools].map(([pool, figures]) => ({ pool, ...figures }));
    },
  };
}
