// A control plane that did not run for a while, or whose clock was set, takes no silence for a loss.
import { describe, expect, it } from 'vitest';
import { watchGaps } from '../../../control-plane/queue/gaps.js';
import { createLook } from '../../../control-plane/queue/reconciler.js';
import {
  assigned,
  begun,
  eachWithRules,
  find,
  makeRun,
  makeStack,
  makeWorker,
  type Rules,
} from '../support/rules.js';

const hour = 3_600_000;

describe('a gap', () => {
  const at = { now: 1_000_000, up: 500 };
  const watch = () => watchGaps({ now: () => at.now }, () => at.up);
  const pass = (milliseconds: number) => {
    at.now += milliseconds;
    at.up += milliseconds;
  };

  it('is none while looks come about when planned and the clock is corrected bit by bit', () => {
    const gaps = watch();
    for (let look = 0; look < 10; look += 1) {
      pass(1500);
      at.now += 800;
      expect(gaps.look(1000)).toBeUndefined();
      gaps.looked();
    }
  });

  it('is a look that comes late, but not one that only took long', () => {
    const gaps = watch();
    pass(1000);
    expect(gaps.look(1000)).toBeUndefined();
    pass(60_000);
    gaps.looked();
    pass(1000);
    expect(gaps.look(1000)).toBeUndefined();
    gaps.looked();
    pass(31_000);
    expect(gaps.look(1000)).toEqual({ late: 30_000, clockSetBy: 0 });
  });

  it('is a clock that was set, ahead or back, while a look goes on too, and is told until it was dealt with', () => {
    const gaps = watch();
    pass(1000);
    at.now += hour;
    expect(gaps.look(1000)).toEqual({ late: 0, clockSetBy: hour });
    expect(gaps.look(1000)).toEqual({ late: 0, clockSetBy: hour });
    at.now -= 2 * hour;
    gaps.looked();
    pass(1000);
    expect(gaps.look(1000)).toEqual({ late: 0, clockSetBy: -2 * hour });
    gaps.looked();
    pass(1000);
    expect(gaps.look(1000)).toBeUndefined();
  });
});

describe('after a gap', () => {
  let rules: Rules;
  let pool: string;
  let up = 0;
  eachWithRules((given) => {
    ({ rules, pool } = given);
  });
  const lookAgain = () =>
    createLook(
      rules.context,
      () => true,
      () => up,
    );
  const pass = (milliseconds: number) => {
    rules.now += milliseconds;
    up += milliseconds;
  };
  const workers = () =>
    rules.context.db.selectFrom('workers').select(['id', 'connected', 'lost_at']).execute();

  async function busy() {
    const worker = await makeWorker(rules, pool);
    await makeRun(rules, await makeStack(rules, pool));
    const match = await assigned(rules, pool);
    await begun(rules, match);
    const held = { run: match.run.id, attempt: 1, begun: true } as const;
    return { worker, held, state: async () => (await find(rules, match.run.id)).state };
  }

  it.each([
    [
      'nothing ran for a minute',
      () => {
        pass(60_000);
      },
    ],
    ['the clock was set ahead by an hour', () => (rules.now += hour)],
  ])('a worker that reports again when it would have anyway keeps its run: %s', async (_what, happen) => {
    const { worker, held, state } = await busy();
    const look = lookAgain();
    pass(1000);
    await look();
    happen();
    pass(1000);
    await look();
    // Its reports come every ten seconds.
    for (let second = 0; second < 10; second += 1) {
      pass(1000);
      await look();
    }
    await worker.heartbeat(held);
    pass(20_000 - 10_000);
    await look();
    expect(await state()).toBe('INITIALIZING');
    expect(await workers()).toMatchObject([{ connected: true, lost_at: null }]);
  });

  it('one that had been found silent by the look in which the clock was set has its time, too', async () => {
    const { worker, held, state } = await busy();
    let set = false;
    const { clock } = rules.context;
    const jumping = { ...rules.context, clock: { now: () => clock.now() } };
    const look = createLook(
      jumping,
      () => {
        if (!set) rules.now += hour;
        set = true;
        return true;
      },
      () => up,
    );
    pass(1000);
    await look();
    expect(await workers()).toMatchObject([{ connected: false }]);
    for (let second = 0; second < 10; second += 1) {
      pass(1000);
      await look();
    }
    await worker.heartbeat(held);
    expect(await state()).toBe('INITIALIZING');
  });

  it('one that is gone is noticed as soon as ever, though the clock was set back', async () => {
    const { state } = await busy();
    const look = lookAgain();
    pass(1000);
    await look();
    rules.now -= hour;
    for (let second = 0; second < 40; second += 1) {
      pass(1000);
      await look();
    }
    expect(await workers()).toEqual([]);
    expect(await state()).toBe('FAILED');
  });

  it('one that has no time left because the clock was set back while it was out of contact is lost in time', async () => {
    const { worker, state } = await busy();
    const look = lookAgain();
    await worker.gone(false);
    rules.now -= hour;
    for (let second = 0; second < 40; second += 1) {
      pass(1000);
      await look();
    }
    expect(await state()).toBe('FAILED');
  });

  it('one whose look failed is dealt with by the next', async () => {
    const { worker, held, state } = await busy();
    let broken = true;
    const failing = {
      ...rules.context,
      get db() {
        if (broken) throw new Error('the database is away');
        return rules.context.db;
      },
    };
    const look = createLook(
      failing,
      () => true,
      () => up,
    );
    pass(60_000);
    await expect(look()).rejects.toThrow('away');
    broken = false;
    for (let second = 0; second < 10; second += 1) {
      pass(1000);
      await look();
    }
    await worker.heartbeat(held);
    expect(await state()).toBe('INITIALIZING');
  });

  it('a look that fails in part makes no gap: who is gone is lost all the same', async () => {
    const { state } = await busy();
    const { db } = rules.context;
    let failures = 0;
    const failing = new Proxy(db, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => {
          if (name === 'selectFrom' && given[0] === 'stacks') {
            failures += 1;
            throw new Error('a part of it is broken');
          }
          return Reflect.apply(value, target, given) as unknown;
        };
      },
    });
    const look = createLook(
      { ...rules.context, db: failing },
      () => true,
      () => up,
    );
    for (let second = 0; second < 60; second += 1) {
      pass(1000);
      await expect(look()).rejects.toThrow('broken');
    }
    expect(failures).toBe(60);
    expect(await workers()).toEqual([]);
    expect(await state()).toBe('FAILED');
  });

  it('which was an outage of the database, workers have their time, too', async () => {
    const { worker, held, state } = await busy();
    let away = true;
    const failing = {
      ...rules.context,
      get db() {
        if (away) throw new Error('the database is away');
        return rules.context.db;
      },
    };
    const look = createLook(
      failing,
      () => true,
      () => up,
    );
    for (let second = 0; second < 40; second += 1) {
      pass(1000);
      await expect(look()).rejects.toThrow('away');
    }
    away = false;
    for (let second = 0; second < 10; second += 1) {
      pass(1000);
      await look();
    }
    await worker.heartbeat(held);
    expect(await state()).toBe('INITIALIZING');
  });
});
