// Leadership on a clock that the test moves, before an API server that need not answer. Two controllers share one lease;
// whatever happens between them and it, never do both act.
import { describe, expect, test } from 'vitest';
import { KubeError, whileLeading, type KubeApi } from '../../../launcher/kubernetes/api.js';
import { lead, leaseTimes, type Leadership } from '../../../launcher/kubernetes/lease.js';
import { recordedLog } from '../support/log.js';
import { manualClock } from '../support/manual-clock.js';

interface Stored {
  readonly metadata: { readonly resourceVersion: string };
}

/** Until what is awaited has gone on and waits again. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** One lease in an API server, and ways to it that a test can cut. */
function world() {
  const clock = manualClock();
  let stored: Stored | undefined;
  let version = 0;
  let regained = 0;
  const keep = (body: object): Stored => {
    version += 1;
    return (stored = { ...body, metadata: { resourceVersion: String(version) } });
  };

  /** `way`: up, hangs (asked for, never answered), or away. */
  function controller(identity: string) {
    const way = { is: 'up' as 'up' | 'hangs' | 'away' };
    const go = async <Item>(step: () => Item): Promise<Item> => {
      if (way.is === 'away') throw new Error('connection refused');
      const answer = step();
      if (way.is === 'hangs') return new Promise<never>(() => undefined);
      return Promise.resolve(answer);
    };
    const api = {
      get: () => go(() => stored),
      create: (_: string, body: object) =>
        go(() => {
          if (stored !== undefined) throw new KubeError(409, 'AlreadyExists', 'there is one');
          return keep(body);
        }),
      replace: (_: string, body: object) =>
        go(() => {
          const { metadata } = body as Stored;
          if (metadata.resourceVersion !== stored?.metadata.resourceVersion)
            throw new KubeError(409, 'Conflict', 'it has changed');
          return keep(body);
        }),
    } as unknown as KubeApi;
    const ended = new AbortController();
    const state: { leadership?: Leadership } = {};
    void lead(
      {
        api,
        namespace: 'n',
        name: 'l',
        identity,
        onRegained: () => (regained += 1),
        clock,
        log: recordedLog(),
      },
      ended.signal,
    ).then(
      (leadership) => (state.leadership = leadership),
      () => undefined,
    );
    return { way, state, leads: () => state.leadership?.leads() === true };
  }

  async function pass(milliseconds: number, look: () => void = () => undefined) {
    for (let left = milliseconds; left > 0; left -= 500) {
      await settle();
      clock.advance(Math.min(500, left));
      await settle();
      look();
    }
  }
  return { controller, pass, regained: () => regained };
}

describe('a leader', () => {
  test.each(['hangs', 'away'] as const)(
    'acts no more before another one may, when its way to the API server %s',
    async (way) => {
      const { controller, pass } = world();
      const first = controller('first');
      await pass(2_000);
      const second = controller('second');
      await pass(10_000);
      expect([first.leads(), second.leads()]).toEqual([true, false]);
      first.way.is = way;
      await pass(60_000, () => {
        expect(first.leads() && second.leads()).toBe(false);
      });
      expect([first.leads(), second.leads()]).toEqual([false, true]);
      first.way.is = 'up';
      await pass(leaseTimes.renewEvery * 5);
      expect(first.state.leadership?.lost.aborted).toBe(true);
    },
  );

  test('goes on after the API server was away for everyone, and says so', async () => {
    const { controller, pass, regained } = world();
    const only = controller('only');
    await pass(2_000);
    only.way.is = 'away';
    await pass(10 * 60_000);
    expect(only.leads()).toBe(false);
    expect(only.state.leadership?.lost.aborted).toBe(false);
    only.way.is = 'up';
    await pass(leaseTimes.renewEvery * 2);
    expect(only.leads()).toBe(true);
    expect(regained()).toBe(1);
  });

  test('keeps a lease whose renewal came through although its answer did not', async () => {
    const { controller, pass } = world();
    const only = controller('only');
    await pass(2_000);
    only.way.is = 'hangs';
    await pass(leaseTimes.renewEvery);
    only.way.is = 'up';
    await pass(leaseTimes.stopAfter);
    expect(only.leads()).toBe(true);
    expect(only.state.leadership?.lost.aborted).toBe(false);
  });

  test('lets another one lead right away when it ends in order', async () => {
    const { controller, pass } = world();
    const first = controller('first');
    await pass(2_000);
    const second = controller('second');
    await pass(4_000);
    await first.state.leadership?.release();
    await pass(leaseTimes.renewEvery * 2);
    expect(second.leads()).toBe(true);
  });
});

test('a controller that may not act changes nothing, and may look', async () => {
  let leads = true;
  const done: string[] = [];
  const step = (name: string) => () => {
    done.push(name);
    return Promise.resolve(undefined as never);
  };
  const api = whileLeading(
    {
      get: step('get'),
      list: step('list'),
      create: step('create'),
      patch: step('patch'),
      removeFinalizer: step('removeFinalizer'),
      replace: step('replace'),
      remove: step('remove'),
      requests: () => 0,
      close: () => undefined,
    },
    () => leads,
  );
  leads = false;
  await api.get('');
  await api.list('');
  await expect(api.create('', {})).rejects.toThrow(/another controller may lead/);
  await expect(api.patch('', {})).rejects.toThrow(/another controller may lead/);
  await expect(api.removeFinalizer('', '')).rejects.toThrow(/another controller may lead/);
  await expect(api.replace('', {})).rejects.toThrow(/another controller may lead/);
  await expect(api.remove('')).rejects.toThrow(/another controller may lead/);
  expect(done).toEqual(['get', 'list']);
});
