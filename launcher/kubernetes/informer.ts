// A collection of the API server kept in memory: listed once, watched from there, and listed again when the watch is
// lost. The library's informer does the work; this one keeps it going.
import { ListWatch, Watch, type KubeConfig, type KubernetesObject } from '@kubernetes/client-node';
import { messageOf } from '../../protocol/errors.js';
import { createBackoff } from '../backoff.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import { slim, type KubeApi } from './api.js';
import type { KubeObject } from './objects.js';

export interface Informer<Item extends KubeObject> {
  get(name: string, namespace: string): Item | undefined;
  list(): readonly Item[];
  /** Resolves once the collection is there. */
  readonly ready: Promise<void>;
  stop(): void;
}

export interface InformerOptions<Item extends KubeObject> {
  readonly config: KubeConfig;
  readonly api: KubeApi;
  readonly path: string;
  readonly labelSelector?: string;
  /** Added, changed or removed; also called for every object after a new list. */
  readonly onChange: (item: Item) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

/** Seconds after which the API server ends a watch: what no connection tells of its own death is noticed by then. */
const watchSeconds = 240;

export function startInformer<Item extends KubeObject>(options: InformerOptions<Item>): Informer<Item> {
  const { api, path, labelSelector, clock, log } = options;
  const backoff = createBackoff({ base: 500, ceiling: 15_000, random: options.random });
  let stopped = false;
  let listed: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (listed = resolve));

  // The library's types are those of objects with optional fields; what is in them is the same.
  const listWatch = new ListWatch<KubernetesObject>(
    `${path}?timeoutSeconds=${String(watchSeconds)}`,
    new Watch(options.config),
    async () => {
      const answer = await api.list<Item>(path, labelSelector);
      backoff.reset();
      setImmediate(listed);
      return { apiVersion: 'v1', kind: 'List', ...answer } as never;
    },
    false,
    labelSelector,
  );
  const changed = (item: KubernetesObject) => {
    const own = item as unknown as Item;
    slim(own);
    options.onChange(own);
  };
  listWatch.on('add', changed);
  listWatch.on('update', changed);
  listWatch.on('delete', changed);
  listWatch.on('error', (error: unknown) => {
    if (stopped) return;
    const wait = backoff.next();
    log.warn(`Watching ${path} failed (${messageOf(error)}). Trying again.`);
    clock.after(wait, start);
  });

  function start(): void {
    if (stopped) return;
    listWatch.start().catch((error: unknown) => {
      log.warn(`Watching ${path} could not be started: ${messageOf(error)}`);
      clock.after(backoff.next(), start);
    });
  }

  start();
  return {
    get: (name, namespace) => listWatch.get(name, namespace) as unknown as Item | undefined,
    list: () => listWatch.list() as unknown as readonly Item[],
    ready,
    stop() {
      stopped = true;
      void listWatch.stop();
    },
  };
}
