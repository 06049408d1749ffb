// The workers of all pools: an agent for each, as many as the pool wants, and each of them ended in order.
import { messageOf } from '../../protocol/errors.js';
import { finalizer, labels } from '../../protocol/kubernetes/names.js';
import type { WorkerPoolSpec } from '../../protocol/kubernetes/resources.js';
import { startAgent, type Agent, type AgentDependencies } from './agent.js';
import { createBulkClients } from './bulk-clients.js';
import { credentialsOf, type PoolCredentials } from './credentials.js';
import type { PoolFigures } from './metrics.js';
import { keyOf, type Secret, type Worker, type WorkerPool } from './objects.js';
import type { RunSecret } from './pod/assignment-files.js';
import { createPoolLines, type PoolLinesOptions } from './pool-lines.js';
import { createStatusWriter } from './worker-status.js';
import {
  adoptWorkers,
  createWorker,
  heldBy,
  inParallel,
  isKept,
  workerIdOf,
  workerPath,
  workersAtOnce,
} from './workers.js';

/** What agents need to know of their pool. */
export interface PoolOfWorkers {
  /** `namespace/name`. */
  readonly key: string;
  readonly name: string;
  readonly credentials: PoolCredentials;
  /** As it is when it is asked. */
  readonly spec: () => WorkerPoolSpec;
}

export interface FleetOptions
  extends
    Omit<AgentDependencies, 'lines' | 'statuses' | 'bulk'>,
    Pick<PoolLinesOptions, 'proxies' | 'unavailable'> {
  readonly runSecretsOf: (workerId: string) => readonly Secret[];
  /** Takes the API server's answer to a write into the memory of workers. Gives what is kept of it. */
  readonly noteWorker: (worker: Worker) => Worker;
  readonly requeue: (key: string, milliseconds: number) => void;
}

export interface Fleet {
  /** Makes and removes workers until there are as many as the pool wants. `workers`: all of the pool. */
  scale(pool: PoolOfWorkers, object: WorkerPool, workers: readonly Worker[]): Promise<void>;
  /** Deletes the objects; who has a run stays until it is over. */
  remove(workers: readonly Worker[]): Promise<void>;
  /** Goes on with the runs that an earlier controller has left; without the pool's Secret, too. */
  resume(pool: PoolToLeave, workers: readonly Worker[]): void;
  /** Ends workers that are being deleted, and agents whose worker is gone without asking. */
  end(pool: PoolToLeave, workers: readonly Worker[]): void;
  useCredentials(key: string, credentials: PoolCredentials): void;
  of(key: string): readonly Agent[];
  /** By ULID of the worker. */
  has(workerId: string): boolean;
  podChanged(workerId: string, name: string): void;
  /** Whether workers can take runs may have changed. */
  availabilityChanged(): void;
  figures(): readonly PoolFigures[];
}

/** Credentials and spec are there unless the pool is gone, or its Secret. */
export type PoolToLeave = Pick<PoolOfWorkers, 'key' | 'name' | 'spec'> & Partial<PoolOfWorkers>;

export function createFleet(options: FleetOptions): Fleet {
  const { api, clock, log } = options;
  const shared: AgentDependencies = {
    ...options,
    lines: createPoolLines(options),
    statuses: createStatusWriter(options),
    bulk: createBulkClients(options),
  };
  /** By the pool's key: one for all its agents. */
  const onChanges = new Map<string, () => void>();
  /** By ULID of the worker. */
  const agents = new Map<string, { readonly agent: Agent; readonly pool: string; readonly ulid: string }>();
  /** Workers that are on their way out, by ULID. */
  const leaving = new Set<string>();

  function ensureAgent(pool: PoolOfWorkers, worker: Worker, held = heldOf(worker)): Agent {
    const workerId = workerIdOf(worker);
    const there = agents.get(workerId);
    if (there !== undefined) {
      // It may have begun with those of its run.
      there.agent.useCredentials(pool.credentials);
      return there.agent;
    }
    const { key, name, credentials, spec } = pool;
    const onChange = onChangeOf(key);
    const agent = startAgent(shared, { worker, workerId, credentials, spec, poolName: name, onChange, held });
    agents.set(workerId, { agent, pool: key, ulid: credentials.token.pool });
    return agent;
  }

  function onChangeOf(key: string): () => void {
    const made =
      onChanges.get(key) ??
      (() => {
        options.requeue(key, 200);
      });
    onChanges.set(key, made);
    return made;
  }

  function heldOf(worker: Worker): RunSecret | undefined {
    return heldBy(options.runSecretsOf(workerIdOf(worker)), log);
  }

  /** The agent of a worker, if it has one or needs one for a run that it holds. */
  function agentOf(pool: PoolToLeave, worker: Worker): Agent | undefined {
    const there = agents.get(workerIdOf(worker));
    if (there !== undefined) return there.agent;
    const held = heldOf(worker);
    // Of a controller before this one, and known to the control plane by it.
    if (held === undefined && worker.status?.registered !== true) return undefined;
    // The pool's own Secret may be gone by now.
    const credentials = pool.credentials ?? (held === undefined ? undefined : credentialsOfRun(worker, held));
    return credentials === undefined ? undefined : ensureAgent({ ...pool, credentials }, worker, held);
  }

  function credentialsOfRun(worker: Worker, { token, privateKey }: RunSecret): PoolCredentials | undefined {
    try {
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      return credentialsOf(token ?? '', pem, clock.now());
    } catch (error) {
      log.error(`Nobody can end the run of ${keyOf(worker)} in order: ${messageOf(error)}`);
      return undefined;
    }
  }

  async function letGo(worker: Worker, agent: Agent | undefined): Promise<void> {
    await agent?.leave('the Worker was deleted');
    options.recorder.record(
      'Worker',
      worker,
      'Normal',
      'WorkerRemoved',
      'It was deleted, and has left the control plane.',
    );
    await api.patch(workerPath(worker), {
      metadata: { finalizers: worker.metadata.finalizers?.filter((other) => other !== finalizer) ?? [] },
    });
    agents.delete(workerIdOf(worker));
  }

  function endOne(pool: PoolToLeave, worker: Worker): void {
    const workerId = workerIdOf(worker);
    if (leaving.has(workerId)) return;
    leaving.add(workerId);
    letGo(worker, agentOf(pool, worker))
      .catch((error: unknown) => {
        log.warn(`${keyOf(worker)} could not be let go: ${messageOf(error)}`);
      })
      .finally(() => {
        leaving.delete(workerId);
        options.requeue(pool.key, 200);
      });
  }

  async function remove(workers: readonly Worker[]): Promise<void> {
    const left = [...workers];
    await inParallel(workersAtOnce, left.length, async () => {
      const worker = left.pop();
      if (worker === undefined || worker.metadata.deletionTimestamp !== undefined) return;
      const rest = await api.remove<Worker>(workerPath(worker));
      if (rest !== undefined) options.noteWorker(rest);
    });
  }

  return {
    remove,
    async scale(pool, object, workers) {
      const id = pool.credentials.token.pool;
      const all = workers.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      // After a change to the token of another pool, the workers of the one before go.
      const labelled = all.filter(({ metadata }) => metadata.labels?.[labels.workerPool] === id);
      await remove(all.filter((worker) => !labelled.includes(worker)));
      // Before they get an agent, and with it runs: as they came, they would be gone in mid-run when they are deleted.
      const own = await adoptWorkers(api, object, labelled, options.noteWorker);
      for (const worker of own) ensureAgent(pool, worker);
      const missing = pool.spec().poolSize - own.length;
      const size = `from ${String(own.length)} to ${String(own.length + missing)} workers`;
      if (missing < 0) {
        const message = `Scaling down ${size}; those that have a run end it first.`;
        options.recorder.record('WorkerPool', object, 'Normal', 'ScaledDown', message);
        await remove(surplus(own, -missing));
      }
      if (missing > 0)
        options.recorder.record('WorkerPool', object, 'Normal', 'ScaledUp', `Scaling up ${size}.`);
      await inParallel(workersAtOnce, Math.max(0, missing), async () => {
        ensureAgent(pool, options.noteWorker(await createWorker(api, object, id)), undefined);
      });
    },
    resume(pool, workers) {
      for (const worker of workers) agentOf(pool, worker);
    },
    end(pool, workers) {
      const there = new Set(workers.map(workerIdOf));
      for (const worker of workers) {
        if (worker.metadata.deletionTimestamp !== undefined && isKept(worker)) endOne(pool, worker);
      }
      for (const [workerId, { agent, pool: of }] of agents) {
        if (of !== pool.key || there.has(workerId) || leaving.has(workerId)) continue;
        // Somebody has taken the object away by force.
        leaving.add(workerId);
        void agent.leave('the Worker is gone').then(() => {
          leaving.delete(workerId);
          agents.delete(workerId);
        });
      }
    },
    useCredentials(key, credentials) {
      for (const { agent, pool } of agents.values()) if (pool === key) agent.useCredentials(credentials);
    },
    of: (key) => [...agents.values()].filter(({ pool }) => pool === key).map(({ agent }) => agent),
    has: (workerId) => agents.has(workerId),
    podChanged(workerId, name) {
      agents.get(workerId)?.agent.podChanged(name);
    },
    availabilityChanged() {
      shared.lines.report();
    },
    figures() {
      const pools = new Map<string, { workers: number; idle: number }>();
      for (const { agent, ulid } of agents.values()) {
        const figures = pools.get(ulid) ?? { workers: 0, idle: 0 };
        pools.set(ulid, {
          workers: figures.workers + 1,
          idle: figures.idle + (agent.busy ? 0 : 1),
        });
      }
      return [...pools].map(([pool, figures]) => ({ pool, ...figures }));
    },
  };

  /** Idle ones first, the newest of them; one that has a run goes when that is over. */
  function surplus(workers: readonly Worker[], count: number): readonly Worker[] {
    const rank = (worker: Worker) => (agents.get(workerIdOf(worker))?.agent.busy === true ? 1 : 0);
    return [...workers]
      .sort((a, b) => rank(a) - rank(b) || (a.metadata.name < b.metadata.name ? 1 : -1))
      .slice(0, count);
  }
}
