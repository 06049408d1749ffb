// The pool controller: `launcher controller`. Puts its parts together, leads or waits, and ends in order.
import { hostname } from 'node:os';
import { KubeConfig } from '@kubernetes/client-node';
import { ulid } from 'ulid';
import { labels } from '../../protocol/kubernetes/names.js';
import { systemClock, type Clock } from '../clock.js';
import { createLog, type Log } from '../log.js';
import { createKubeApi, paths } from './api.js';
import type { ControllerArguments } from './arguments.js';
import { createRecorder } from './events.js';
import { serveHttp, type HttpEndpoint } from './health.js';
import { startInformer, type Informer } from './informer.js';
import { lead, type Leadership } from './lease.js';
import { createMetrics, type PoolFigures } from './metrics.js';
import { keyOf, type KubeObject, type Pod, type Secret, type Worker, type WorkerPool } from './objects.js';
import { proxiesOf } from './proxies.js';
import { createPools, type Pools } from './pools.js';
import { createWorkQueue, type WorkQueue } from './queue.js';

export interface ControllerOptions {
  readonly arguments: ControllerArguments;
  readonly version: string;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** Name of the lease, and of the Secret with the controller's own API key. */
export const ownNames = { lease: 'workerpool-controller', apiKey: 'spacelift-api-credentials' } as const;

/** Runs until the signal; throws when the cluster cannot be reached or the leadership was lost. */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { arguments: given, version, clock = systemClock } = options;
  const log =
    options.log ??
    createLog({
      format: 'json',
      debug: given.debug,
      write: (text) => process.stdout.write(text),
      now: () => clock.now(),
    });
  const config = new KubeConfig();
  config.loadFromDefault();
  const api = createKubeApi(config, clock);
  const endpoints: HttpEndpoint[] = [];
  const informers: Informer<KubeObject>[] = [];
  let pools: Pools | undefined;
  let queue: WorkQueue | undefined;
  let leadership: Leadership | undefined;
  const metrics = createMetrics((): readonly PoolFigures[] => pools?.figures() ?? []);
  const ok = () => Promise.resolve({ status: 200, type: 'text/plain', body: 'ok' });
  endpoints.push(await serveHttp(given.healthAddress, { '/healthz': ok, '/readyz': ok }));
  if (given.metricsAddress !== '0') {
    const text = async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() });
    endpoints.push(await serveHttp(given.metricsAddress, { '/metrics': text }));
  }
  try {
    log.info(`Pool controller ${version}, cluster ${config.getCurrentCluster()?.server ?? ''}`);
    if (given.leaderElect) {
      leadership = await lead(
        {
          api,
          namespace: given.namespace,
          name: ownNames.lease,
          identity: `${hostname()}_${ulid()}`,
          clock,
          log,
        },
        signal,
      );
    }
    const watch = <Item extends KubeObject>(
      path: (namespace?: string) => string,
      onChange: (item: Item) => void,
      labelSelector?: string,
    ): Watched<Item> => {
      const scopes = given.namespaces.length === 0 ? [undefined] : given.namespaces;
      const own = scopes.map((namespace) =>
        startInformer<Item>({
          config,
          api,
          path: path(namespace),
          onChange,
          clock,
          random: Math.random,
          log,
          ...(labelSelector === undefined ? {} : { labelSelector }),
        }),
      );
      informers.push(...own);
      return {
        list: () => own.flatMap((informer) => informer.list()),
        get: (namespace, name) =>
          own.map((informer) => informer.get(name, namespace)).find((item) => item !== undefined),
        ready: Promise.all(own.map(({ ready }) => ready)),
      };
    };
    const requeue = (key: string, milliseconds?: number) => {
      if (milliseconds === undefined) queue?.add(key);
      else queue?.addAfter(key, milliseconds);
    };
    const poolObjects = watch<WorkerPool>(paths.pools, (pool) => {
      requeue(keyOf(pool));
    });
    const workers = watch<Worker>(paths.workers, (worker) => {
      const owner = worker.metadata.ownerReferences?.find(({ kind }) => kind === 'WorkerPool');
      if (owner !== undefined && worker.metadata.deletionTimestamp !== undefined)
        requeue(`${worker.metadata.namespace}/${owner.name}`, 50);
    });
    const pods = watch<Pod>(
      paths.pods,
      (pod) => {
        pools?.podChanged(pod.metadata.labels?.[labels.worker] ?? '', pod.metadata.name);
      },
      labels.worker,
    );
    const secrets = watch<Secret>(paths.secrets, () => undefined, labels.worker);
    await Promise.race([
      Promise.all([poolObjects.ready, workers.ready, pods.ready, secrets.ready]),
      aborted(signal),
    ]);
    pools = createPools({
      api,
      recorder: createRecorder(api, clock, log),
      metrics,
      proxies: proxiesOf(process.env),
      clock,
      random: Math.random,
      log,
      version,
      launcherImage: given.launcherImage,
      ownKey: { namespace: given.namespace, name: ownNames.apiKey },
      requeue,
      findPod: pods.get,
      caches: {
        pool: poolObjects.get,
        workersOf: ({ metadata }) =>
          workers
            .list()
            .filter(
              (worker) => worker.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid) === true,
            ),
        podsOf: (pool, namespace) =>
          pods
            .list()
            .filter(
              (pod) =>
                pod.metadata.namespace === namespace && pod.metadata.labels?.[labels.workerPool] === pool,
            ),
        runSecretsOf: (workerId) =>
          secrets.list().filter((secret) => secret.metadata.labels?.[labels.worker] === workerId),
      },
      patience: given.patience,
    });
    const made = pools;
    queue = createWorkQueue({
      process: (key) => made.reconcile(key),
      concurrency: 4,
      clock,
      random: Math.random,
      log,
    });
    for (const pool of poolObjects.list()) queue.add(keyOf(pool));
    log.info(`Looking after ${String(poolObjects.list().length)} worker pool(s)`);
    await Promise.race([aborted(signal), lostOf(leadership)]);
    // Connections are left to break: workers with a run come back with the next controller, and the run goes on.
    log.info('Ending; runs go on in their pods.');
  } finally {
    queue?.close();
    for (const informer of informers) informer.stop();
    await leadership?.release();
    for (const endpoint of endpoints) endpoint.close();
    api.close();
  }
}

interface Watched<Item extends KubeObject> {
  readonly list: () => readonly Item[];
  readonly get: (namespace: string, name: string) => Item | undefined;
  readonly ready: Promise<unknown>;
}

/** Resolves when it is aborted. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}

function lostOf(leadership: Leadership | undefined): Promise<never> {
  return new Promise((_, reject) => {
    leadership?.lost.addEventListener('abort', () => {
      reject(new Error('another controller may lead now; ending'));
    });
  });
}
