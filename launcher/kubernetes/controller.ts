// The pool controller: `launcher controller`. Puts its parts together, leads or waits, and ends in order.
import { hostname } from 'node:os';
import { KubeConfig } from '@kubernetes/client-node';
import { ulid } from 'ulid';
import { labels } from '../../protocol/kubernetes/names.js';
import { systemClock, type Clock } from '../clock.js';
import { createLog, type Log } from '../log.js';
import { createKubeApi, whileLeading } from './api.js';
import type { ControllerArguments } from './arguments.js';
import { startCollections, type Collections } from './collections.js';
import { createRecorder } from './events.js';
import { serveHttp, type HttpEndpoint } from './health.js';
import { lead, type Leadership } from './lease.js';
import { createMetrics, type PoolFigures } from './metrics.js';
import { serveMetrics } from './metrics-endpoint.js';
import { keyOf, poolKeyOf, type KubeObject } from './objects.js';
import { releaseOrphans } from './orphans.js';
import { proxiesOf } from './proxies.js';
import { createPools, type Pools } from './pools.js';
import { workerIdOf } from './workers.js';
import { createWorkQueue, type WorkQueue } from './queue.js';

export interface ControllerOptions {
  readonly arguments: ControllerArguments;
  readonly version: string;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** Name of the lease, and of the Secret with the controller's own API key. */
export const ownNames = { lease: 'workerpool-controller', apiKey: 'spacelift-api-credentials' } as const;

/** Key of the work that is of no pool; those of pools have a slash. */
const orphans = 'orphans';

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
  let collections: Collections | undefined;
  let pools: Pools | undefined;
  let queue: WorkQueue | undefined;
  let leadership: Leadership | undefined;
  const metrics = createMetrics((): readonly PoolFigures[] => pools?.figures() ?? [], api.requests);
  const ok = () => Promise.resolve({ status: 200, type: 'text/plain', body: 'ok' });
  endpoints.push(await serveHttp(given.healthAddress, { '/healthz': ok, '/readyz': ok }));
  if (given.metrics.address !== '0') {
    const { address, secure, certificates } = given.metrics;
    endpoints.push(await serveMetrics({ address, secure, certificates, metrics, api, clock, log }));
  }
  /** After the API server was away: what happened meanwhile, and what failed, is done now. */
  const lookAtAll = () => {
    pools?.availabilityChanged();
    queue?.retry(collections?.pools.list().map(keyOf) ?? []);
  };
  try {
    log.info(`Pool controller ${version}, cluster ${config.getCurrentCluster()?.server ?? ''}`);
    if (given.leaderElect) {
      leadership = await lead(
        {
          api,
          namespace: given.namespace,
          name: ownNames.lease,
          identity: `${hostname()}_${ulid()}`,
          times: given.lease,
          onRegained: lookAtAll,
          clock,
          log,
        },
        signal,
      );
    }
    const leads = () => leadership?.leads() ?? true;
    const requeue = (key: string, milliseconds: number) => queue?.addAfter(key, milliseconds);
    const lookForOrphans = ({ metadata }: KubeObject) => {
      if (metadata.deletionTimestamp !== undefined) requeue(orphans, 1_000);
    };
    const found = startCollections({
      config,
      api,
      namespaces: given.namespaces,
      // A change seldom comes alone: workers of a pool come and go by the dozen.
      onPool: (key) => {
        requeue(key, 50);
      },
      onSecret: lookForOrphans,
      onPod: (pod) => {
        lookForOrphans(pod);
        pools?.podChanged(pod.metadata.labels?.[labels.worker] ?? '', pod.metadata.name);
      },
      onBroken: () => pools?.availabilityChanged(),
      onResumed: lookAtAll,
      clock,
      random: Math.random,
      log,
    });
    collections = found;
    await Promise.race([found.ready, aborted(signal), lostOf(leadership)]);
    const acting = whileLeading(api, leads);
    pools = createPools({
      api: acting,
      leads,
      unavailable: () =>
        found.fault() ?? (leads() ? null : 'its controller cannot renew its lease, and another one may lead'),
      recorder: createRecorder(acting, clock, log),
      metrics,
      proxies: proxiesOf(process.env),
      clock,
      random: Math.random,
      log,
      version,
      launcherImage: given.launcherImage,
      ownKey: { namespace: given.namespace, name: ownNames.apiKey },
      requeue,
      pods: found.pods,
      caches: {
        pool: found.pools.get,
        noteWorker: found.workers.note,
        workersOf: (namespace, name) =>
          found.workers.list().filter((worker) => poolKeyOf(worker) === `${namespace}/${name}`),
        podsOf: (pool, namespace) =>
          found.pods
            .list()
            .filter(
              (pod) =>
                pod.metadata.namespace === namespace && pod.metadata.labels?.[labels.workerPool] === pool,
            ),
        runSecretsOf: (workerId) =>
          found.secrets.list().filter((secret) => secret.metadata.labels?.[labels.worker] === workerId),
      },
      patience: given.patience,
      syncPeriod: given.syncPeriod,
    });
    const made = pools;
    const letGo = () => {
      const workers = new Set(found.workers.list().map(workerIdOf));
      return releaseOrphans({
        api: acting,
        pods: found.pods.list(),
        secrets: found.secrets.list(),
        isThere: (workerId) => workers.has(workerId) || made.has(workerId),
        log,
      });
    };
    queue = createWorkQueue({
      process: (key) => (key === orphans ? letGo() : made.reconcile(key)),
      concurrency: 4,
      clock,
      random: Math.random,
      log,
    });
    // Also pools that are gone, and have left workers behind.
    const left = found.workers.list().flatMap((worker) => poolKeyOf(worker) ?? []);
    for (const key of new Set([...found.pools.list().map(keyOf), ...left, orphans])) queue.add(key);
    log.info(`Looking after ${String(found.pools.list().length)} worker pool(s)`);
    await Promise.race([aborted(signal), lostOf(leadership)]);
    // Connections are left to break: workers with a run come back with the next controller, and the run goes on.
    log.info('Ending; runs go on in their pods.');
  } finally {
    queue?.close();
    collections?.stop();
    await leadership?.release();
    for (const endpoint of endpoints) endpoint.close();
    api.close();
  }
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
      reject(new Error('another controller leads now; ending'));
    });
  });
}
