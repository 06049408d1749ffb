// A collection of the API server kept in memory: listed once, watched from there, and listed again only when the API
// server has forgotten where the watch was. The library's informer was not taken: docs/decisions/0014.
import { Watch, type KubeConfig } from '@kubernetes/client-node';
import { messageOf } from '../../protocol/errors.js';
import { createBackoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import { KubeError, slim, type KubeApi } from './api.js';
import { keyOf, type KubeObject } from './objects.js';

export type Change = 'added' | 'changed' | 'removed';

export interface Informer<Item extends KubeObject> {
  get(name: string, namespace: string): Item | undefined;
  list(): readonly Item[];
  /** Takes what the API server has answered to a write, so that the next look knows it before the watch tells. Gives what is kept. */
  note(item: Item): Item;
  /** Resolves once the collection is there. */
  readonly ready: Promise<void>;
  readonly stop: () => void;
}

/** The part of the library's Watch that is used. */
export type WatchStream = Pick<Watch, 'watch'>;

export interface InformerOptions<Item extends KubeObject> {
  readonly watch: WatchStream;
  readonly api: Pick<KubeApi, 'list'>;
  readonly path: string;
  readonly labelSelector?: string;
  /** What is kept of each item. Default: all but the fields that only the API server needs. */
  readonly keep?: (item: Item) => Item;
  readonly onChange: (item: Item, change: Change) => void;
  /** The watch could not be had; told once, until it is there again. */
  readonly onBroken?: (reason: string) => void;
  /** The watch is there again after it could not be had: what happened meanwhile has been told. */
  readonly onResumed?: () => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

export const watchTimes = {
  /** Seconds after which the API server ends a watch: what no connection tells of its own death is noticed by then. */
  most: 240,
  /** Milliseconds until the API server answers that it watches. */
  open: 30_000,
  /** Milliseconds: a watch that ends sooner was none, and the next try waits. */
  least: 1_000,
  /** Milliseconds of waits between tries: an API server that is back is heard of within seconds. */
  backoff: { base: 250, ceiling: 3_000 },
} as const;

export function watchOf(config: KubeConfig): WatchStream {
  return new Watch(config);
}

export function startInformer<Item extends KubeObject>(options: InformerOptions<Item>): Informer<Item> {
  const { api, path, labelSelector, keep = slim, onChange, clock, log } = options;
  const backoff = createBackoff({ ...watchTimes.backoff, random: options.random });
  const items = new Map<string, Item>();
  const stopped = new AbortController();
  /** Where the watch is; undefined when the collection has to be listed. */
  let version: string | undefined;
  /** Whether the watch could not be had when it was tried last. */
  const state = { broken: false };
  let listed: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (listed = resolve));

  const isStopped = () => stopped.signal.aborted;

  async function follow(): Promise<void> {
    while (!isStopped()) {
      let opened = Infinity;
      let problem: unknown;
      try {
        if (version === undefined) await list();
        await watchOnce(() => {
          opened = clock.monotonic();
          if (state.broken) options.onResumed?.();
          state.broken = false;
        });
      } catch (error) {
        if (error instanceof KubeError && error.status === 410) version = undefined;
        else problem = error;
      }
      if (isStopped()) return;
      const lasted = clock.monotonic() - opened;
      if (lasted >= watchTimes.least) backoff.reset();
      if (problem !== undefined) {
        if (!state.broken) {
          log.warn(`Watching ${path} failed (${messageOf(problem)}). Trying again.`);
          options.onBroken?.(messageOf(problem));
        }
        state.broken = true;
      }
      if (problem !== undefined || lasted < watchTimes.least)
        await sleep(clock, backoff.next(), stopped.signal);
    }
  }

  async function list(): Promise<void> {
    const answer = await api.list<Item>(path, labelSelector, keep);
    const there = new Set<string>();
    for (const item of answer.items) {
      there.add(keyOf(item));
      put(item);
    }
    for (const [key, item] of items) {
      // What was noted after the list was made is not in it.
      if (there.has(key) || isAfter(item.metadata.resourceVersion, answer.metadata.resourceVersion)) continue;
      items.delete(key);
      onChange(item, 'removed');
    }
    version = answer.metadata.resourceVersion;
    listed();
  }

  /** Resolves when the API server has ended the watch in order; throws what broke it. */
  function watchOnce(onOpen: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let refused: KubeError | undefined;
      let over = false;
      let stream: AbortController | undefined;
      const end = (error: unknown) => {
        if (over) return;
        over = true;
        cancel();
        stopped.signal.removeEventListener('abort', onStop);
        stream?.abort();
        const problem = refused ?? problemOf(error);
        if (problem === undefined) resolve();
        else reject(problem);
      };
      const onStop = () => {
        end(undefined);
      };
      const cancel = clock.after(watchTimes.open, () => {
        if (stream === undefined) end(new Error('the API server does not answer'));
      });
      stopped.signal.addEventListener('abort', onStop);
      const query = {
        timeoutSeconds: watchTimes.most,
        allowWatchBookmarks: true,
        ...(labelSelector === undefined ? {} : { labelSelector }),
        ...(version === undefined ? {} : { resourceVersion: version }),
      };
      options.watch
        .watch(
          path,
          query,
          (type, object: unknown) => {
            if (over) return;
            if (type === 'ERROR') {
              const { code = 500, reason = '', message = '' } = object as Partial<Failure>;
              refused = new KubeError(code, reason, message);
            } else hear(type, object as Item);
          },
          end,
        )
        .then((controller) => {
          stream = controller;
          if (over) controller.abort();
          else onOpen();
        }, end);
    });
  }

  function hear(type: string, item: Item): void {
    if (type === 'DELETED') {
      if (items.delete(keyOf(item))) onChange(item, 'removed');
    } else if (type !== 'BOOKMARK') put(keep(item));
    version = item.metadata.resourceVersion;
  }

  /** What is kept of it, that is. */
  function put(item: Item): void {
    const before = items.get(keyOf(item));
    if (before?.metadata.resourceVersion === item.metadata.resourceVersion) return;
    // Noted by ourselves, and newer than what the watch has come to.
    if (before !== undefined && isAfter(before.metadata.resourceVersion, item.metadata.resourceVersion))
      return;
    items.set(keyOf(item), item);
    onChange(item, before === undefined ? 'added' : 'changed');
  }

  void follow();
  return {
    get: (name, namespace) => items.get(`${namespace}/${name}`),
    list: () => [...items.values()],
    note(item) {
      // The watch knows better already: it may even have told that the object is gone.
      const kept = keep(item);
      if (version === undefined || isAfter(item.metadata.resourceVersion, version)) put(kept);
      return kept;
    },
    ready,
    stop() {
      stopped.abort();
    },
  };
}

interface Failure {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
}

/** Versions of one collection are numbers that grow (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions). */
function isAfter(one: string, other: string): boolean {
  return BigInt(one) > BigInt(other);
}

/** The library gives a refusal as an error with `statusCode`, and nothing when the watch was ended in order. */
function problemOf(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('statusCode' in error && typeof error.statusCode === 'number')
    return new KubeError(error.statusCode, '', error.message);
  return error;
}
