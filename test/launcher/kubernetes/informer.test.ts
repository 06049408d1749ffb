// A collection kept in memory, over outages of the API server: the watch is played by the test, time is a manual clock.
import { afterEach, describe, expect, test } from 'vitest';
import {
  startInformer,
  watchTimes,
  type Change,
  type Informer,
  type WatchStream,
} from '../../../launcher/kubernetes/informer.js';
import type { KubeObject } from '../../../launcher/kubernetes/objects.js';
import { recordedLog } from '../support/log.js';
import { manualClock } from '../support/manual-clock.js';

const item = (name: string, version: number): KubeObject => ({
  metadata: {
    name,
    namespace: 'ci',
    uid: name,
    resourceVersion: String(version),
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
});

/** Lets promises that are due go on. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

const unwatched = () => {
  throw new Error('nobody watches');
};

/** An API server that a test takes away and gives back. */
function apiServer() {
  const server = {
    up: true,
    items: [] as KubeObject[],
    version: 1,
    lists: 0,
    /** Tries to watch, with the version that they began at. */
    tries: [] as string[],
    tell: unwatched as (type: string, object: unknown) => void,
    end: unwatched as (error?: unknown) => void,
  };
  const watch: WatchStream['watch'] = (_path, query, tell, end) => {
    server.tries.push(String(query['resourceVersion']));
    if (server.up) {
      server.tell = tell;
      server.end = end;
    } else end(new Error('connection refused'));
    return Promise.resolve(new AbortController());
  };
  const list = () => {
    server.lists += 1;
    if (!server.up) return Promise.reject(new Error('connection refused'));
    return Promise.resolve({
      items: server.items,
      metadata: { resourceVersion: String(server.version) },
    } as never);
  };
  return { server, watch: { watch }, api: { list } };
}

describe('a collection kept in memory', () => {
  const running: Informer<KubeObject>[] = [];
  afterEach(() => {
    for (const informer of running.splice(0)) informer.stop();
  });

  async function start(items: KubeObject[] = [], version = 1) {
    const { server, watch, api } = apiServer();
    Object.assign(server, { items, version });
    const clock = manualClock();
    const heard: [Change, string][] = [];
    let resumed = 0;
    const broken: string[] = [];
    const informer = startInformer<KubeObject>({
      watch,
      api,
      path: '/things',
      onChange: ({ metadata }, change) => heard.push([change, metadata.name]),
      onBroken: (reason) => broken.push(reason),
      onResumed: () => (resumed += 1),
      clock,
      // The longest waits that there may be.
      random: () => 0.999,
      log: recordedLog(),
    });
    running.push(informer);
    await informer.ready;
    await settle();
    const pass = async (milliseconds: number) => {
      await settle();
      for (let left = milliseconds; left > 0; left -= 100) {
        clock.advance(Math.min(left, 100));
        await settle();
      }
    };
    return { server, informer, heard, pass, broken, resumed: () => resumed };
  }

  test('hears again within seconds of an outage, however long that was, and says so once', async () => {
    const { server, informer, heard, pass, broken, resumed } = await start([item('a', 5)], 7);
    await pass(10_000);
    server.up = false;
    server.end(new Error('broken'));
    await pass(30 * 60_000);
    expect(resumed()).toBe(0);
    expect(broken).toEqual(['broken']);
    server.up = true;
    await pass(watchTimes.backoff.ceiling);
    expect(resumed()).toBe(1);
    expect(server.lists).toBe(1);
    expect(server.tries.at(-1)).toBe('7');
    server.tell('ADDED', item('b', 8));
    expect(heard).toEqual([
      ['added', 'a'],
      ['added', 'b'],
    ]);
    expect(informer.get('b', 'ci')).toBeDefined();
    // The waits of one outage do not make the next one longer.
    await pass(10_000);
    server.end(new Error('broken'));
    await pass(watchTimes.backoff.base);
    expect(resumed()).toBe(2);
    expect(server.tries.at(-1)).toBe('8');
  });

  test('goes on from a bookmark, at once when the API server ends the watch in order', async () => {
    const { server, pass } = await start([], 3);
    await pass(5_000);
    server.tell('BOOKMARK', { metadata: { resourceVersion: '90' } });
    server.end(null);
    await settle();
    expect(server.tries).toEqual(['3', '90']);
  });

  test.each([
    [
      'as an event',
      (s: ReturnType<typeof apiServer>['server']) => {
        s.tell('ERROR', { code: 410, reason: 'Expired', message: 'too old resource version' });
        s.end(null);
      },
    ],
    [
      'as a refusal',
      (s: ReturnType<typeof apiServer>['server']) => {
        s.end(Object.assign(new Error('Gone'), { statusCode: 410 }));
      },
    ],
  ])('lists again when its place is forgotten (410, %s), and tells what has gone', async (_, forget) => {
    const { server, informer, heard, pass } = await start([item('a', 1), item('b', 2)], 2);
    await pass(5_000);
    server.items = [item('b', 2), item('c', 50)];
    server.version = 60;
    forget(server);
    await pass(watchTimes.backoff.base);
    expect(server.lists).toBe(2);
    expect(heard.slice(2)).toEqual([
      ['added', 'c'],
      ['removed', 'a'],
    ]);
    expect(informer.list().map(({ metadata }) => metadata.name)).toEqual(['b', 'c']);
  });

  test('an API server that ends each watch right away is not asked without a pause', async () => {
    const { server, pass } = await start();
    for (let count = 0; count < 50; count += 1) {
      server.end(null);
      await settle();
    }
    expect(server.tries.length).toBeLessThan(5);
    await pass(60_000);
  });

  test('knows what was written before the watch tells, and never what is gone already', async () => {
    const { server, informer, heard } = await start([], 10);
    informer.note(item('new', 12));
    expect(informer.get('new', 'ci')).toBeDefined();
    server.tell('ADDED', item('new', 12));
    server.tell('MODIFIED', item('new', 13));
    server.tell('DELETED', item('new', 14));
    informer.note(item('new', 12));
    expect(informer.list()).toEqual([]);
    expect(heard).toEqual([
      ['added', 'new'],
      ['changed', 'new'],
      ['removed', 'new'],
    ]);
  });

  test('a list that was made before a write does not take back what was written', async () => {
    const { server, informer, pass } = await start([item('a', 1)], 10);
    await pass(5_000);
    informer.note(item('new', 12));
    server.items = [];
    server.version = 11;
    server.tell('ERROR', { code: 410 });
    server.end(null);
    await pass(watchTimes.backoff.base);
    expect(informer.list().map(({ metadata }) => metadata.name)).toEqual(['new']);
  });
});
