// What the controller keeps in memory of the cluster: pools, workers, run pods and run Secrets, of all namespaces or of
// those that it looks after.
import type { KubeConfig } from '@kubernetes/client-node';
import { labels } from '../../protocol/kubernetes/names.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import { KubeError, paths, type KubeApi } from './api.js';
import { keptOfWorkers } from './kept-worker.js';
import { startInformer, watchOf, type Change } from './informer.js';
import {
  keyOf,
  poolKeyOf,
  type KubeObject,
  type Pod,
  type Secret,
  type Worker,
  type WorkerPool,
} from './objects.js';

export interface Collection<Item extends KubeObject> {
  readonly get: (namespace: string, name: string) => Item | undefined;
  readonly list: () => readonly Item[];
  /** Takes the API server's answer to a write. Gives what is kept of it. */
  readonly note: (item: Item) => Item;
}

export interface Collections {
  readonly pools: Collection<WorkerPool>;
  readonly workers: Collection<Worker>;
  readonly pods: Collection<Pod>;
  readonly secrets: Collection<Secret>;
  /** Why what the cluster does is not heard of now; null when it is. */
  readonly fault: () => string | null;
  /** Resolves once all are there. */
  readonly ready: Promise<void>;
  stop(): void;
}

export interface CollectionsOptions {
  readonly config: KubeConfig;
  readonly api: KubeApi;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  /** `namespace/name` of a WorkerPool: it, or a worker of it, has come, gone or changed. */
  readonly onPool: (key: string) => void;
  readonly onPod: (pod: Pod) => void;
  readonly onSecret: (secret: Secret) => void;
  /** `fault` may have changed. */
  readonly onBroken: () => void;
  /** One of them is watched again after it could not be. */
  readonly onResumed: () => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

export function startCollections(options: CollectionsOptions): Collections {
  const { config, namespaces } = options;
  const watch = watchOf(config);
  const scopes = namespaces.length === 0 ? [undefined] : namespaces;
  const stops: (() => void)[] = [];
  const readies: Promise<void>[] = [];
  /** Path of each that cannot be watched, and why. */
  const broken = new Map<string, string>();
  let stopped = false;

  /** A watch that cannot be had is a fault only while the API server answers nothing else either. */
  async function untilAnswered(): Promise<void> {
    while (broken.size > 0 && !stopped) {
      const answered = await options.api.get('/version').then(
        () => true,
        (error: unknown) => error instanceof KubeError && error.status < 500,
      );
      if (answered) {
        broken.clear();
        options.onBroken();
      } else await sleep(options.clock, 1_000);
    }
  }

  function collect<Item extends KubeObject>(
    path: (namespace?: string) => string,
    onChange: (item: Item, change: Change) => void,
    { labelSelector, keep }: { labelSelector?: string; keep?: (item: Item) => Item } = {},
  ): Collection<Item> {
    const parts = scopes.map((namespace) => ({
      namespace,
      informer: startInformer<Item>({
        ...options,
        watch,
        path: path(namespace),
        onChange,
        onBroken(reason) {
          broken.set(path(namespace), reason);
          options.onBroken();
          if (broken.size === 1) void untilAnswered();
        },
        onResumed() {
          broken.delete(path(namespace));
          options.onResumed();
        },
        ...(labelSelector === undefined ? {} : { labelSelector }),
        ...(keep === undefined ? {} : { keep }),
      }),
    }));
    for (const { informer } of parts) {
      stops.push(informer.stop);
      readies.push(informer.ready);
    }
    const of = (namespace: string) =>
      parts.find((part) => part.namespace === undefined || part.namespace === namespace)?.informer;
    return {
      get: (namespace, name) => of(namespace)?.get(name, namespace),
      list: () => parts.flatMap(({ informer }) => informer.list()),
      note: (item) => of(item.metadata.namespace)?.note(item) ?? item,
    };
  }

  const pools = collect<WorkerPool>(paths.pools, (pool) => {
    options.onPool(keyOf(pool));
  });
  const workers = collect<Worker>(
    paths.workers,
    (worker, change) => {
      // Status is the controller's own word.
      if (change === 'changed' && worker.metadata.deletionTimestamp === undefined) return;
      const pool = poolKeyOf(worker);
      if (pool !== undefined) options.onPool(pool);
    },
    { keep: keptOfWorkers() },
  );
  const pods = collect<Pod>(paths.pods, options.onPod, { labelSelector: labels.worker });
  const secrets = collect<Secret>(paths.secrets, options.onSecret, { labelSelector: labels.worker });
  return {
    fault() {
      const [reason] = broken.values();
      return reason === undefined ? null : `the API server of its cluster does not answer: ${reason}`;
    },
    pools,
    workers,
    pods,
    secrets,
    ready: Promise.all(readies).then(() => undefined),
    stop() {
      stopped = true;
      for (const stop of stops) stop();
    },
  };
}
