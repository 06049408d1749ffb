// Several ways to the control plane, tried side by side.
import { expect, describe, test } from 'vitest';
import { openFirst } from '../../../launcher/connection/first-open.js';
import { createRoutes, headStart, remembered } from '../../../launcher/connection/routes.js';
import type { Line, Transport } from '../../../launcher/connection/transport.js';
import { manualClock } from '../support/manual-clock.js';

interface Way extends Transport {
  readonly done: string[];
  /** Answers the attempt that is under way. */
  settle(how: 'open' | Error): void;
}

function way(address: string): Way {
  const done: string[] = [];
  let resolve: (line: Line) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  return {
    address,
    done,
    open(signal) {
      done.push('tried');
      signal.addEventListener('abort', () => done.push('told to stop'));
      return new Promise((onOpen, onFail) => {
        resolve = onOpen;
        reject = onFail;
      });
    },
    settle(how) {
      if (how !== 'open') reject(how);
      else
        resolve({
          address,
          judgeLater: null,
          begin: () => {
            throw new Error('no session is begun by opening');
          },
          close: () => done.push('closed'),
        });
    },
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function race() {
  const clock = manualClock();
  const control = new AbortController();
  const [first, second] = [way('first'), way('second')] as const;
  const result = openFirst(
    { transports: [first, second], headStart: headStart.usual },
    { clock, signal: control.signal },
  );
  result.catch(() => undefined);
  return { clock, control, first, second, result };
}

describe('two ways', () => {
  test('the first has a head start and wins alone', async () => {
    const { clock, first, second, result } = race();
    clock.advance(headStart.usual - 1);
    first.settle('open');
    expect((await result).line.address).toBe('first');
    clock.advance(60_000);
    expect(second.done).toEqual([]);
  });

  test('the second starts when the first hangs, and its line is the only one', async () => {
    const { clock, first, second, result } = race();
    clock.advance(headStart.usual);
    expect(second.done).toEqual(['tried']);
    second.settle('open');
    expect((await result).transport).toBe(second);
    expect(first.done).toEqual(['tried', 'told to stop']);
    first.settle('open');
    await turn();
    expect(first.done).toEqual(['tried', 'told to stop', 'closed']);
  });

  test('the second starts at once when the first fails', async () => {
    const { first, second, result } = race();
    first.settle(new Error('the port is closed'));
    await turn();
    expect(second.done).toEqual(['tried']);
    second.settle('open');
    expect((await result).line.address).toBe('second');
  });

  test('that both fail are both named', async () => {
    const { first, second, result } = race();
    first.settle(new Error('the port is closed'));
    await turn();
    second.settle(new Error('the proxy refused'));
    await expect(result).rejects.toThrow('the port is closed; and the proxy refused');
  });

  test('end with the signal', async () => {
    const { clock, control, first, second, result } = race();
    clock.advance(headStart.usual);
    control.abort(new Error('told to end'));
    await expect(result).rejects.toThrow('told to end');
    expect([first.done, second.done]).toEqual([
      ['tried', 'told to stop'],
      ['tried', 'told to stop'],
    ]);
  });
});

describe('the way that worked', () => {
  test('is tried alone until it has failed for long, then all are, it first', () => {
    const clock = manualClock();
    const [first, second] = [way('first'), way('second')];
    const routes = createRoutes([first, second], clock);
    expect(routes.next().transports).toEqual([first, second]);
    routes.worked(second);
    clock.advance(3_600_000);
    routes.gone(second);
    expect(routes.next().transports).toEqual([second]);
    clock.advance(remembered);
    routes.gone(second);
    expect(routes.next().transports).toEqual([second]);
    clock.advance(1);
    expect(routes.next().transports).toEqual([second, first]);
  });

  test('goes last when its line opened and the control plane never answered', () => {
    const [first, second] = [way('first'), way('second')];
    const routes = createRoutes([first, second], manualClock());
    routes.gone(first);
    expect(routes.next().transports).toEqual([second, first]);
  });

  test('is the first one at the next start, with a longer head start, and only once', () => {
    const [first, second] = [way('first'), way('second')];
    const routes = createRoutes([first, second], manualClock(), 'second');
    expect(routes.next()).toEqual({ transports: [second, first], headStart: headStart.known });
    expect(routes.next()).toEqual({ transports: [second, first], headStart: headStart.usual });
  });

  test('is forgotten when the token names it no more', () => {
    const [first, second] = [way('first'), way('second')];
    const routes = createRoutes([first, second], manualClock(), 'elsewhere');
    expect(routes.next()).toEqual({ transports: [first, second], headStart: headStart.usual });
  });
});
