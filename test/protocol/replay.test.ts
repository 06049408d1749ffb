// The guard lets each message through once, in its time, for the session it was meant for.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { DownMessage } from '../../protocol/messages.js';
import { createReplayGuard, type ReplayGuard } from '../../protocol/replay.js';
import { down, leave, pool, registered, session, ulid, worker } from './support/messages.js';
import { codeOf } from './support/refusals.js';

/** The control plane's time when the launcher's own clock shows zero. */
const start = registered.issuedAt;
let time = 0;
let guard: ReplayGuard;

beforeEach(() => {
  time = 0;
  guard = createReplayGuard({ pool, worker, clock: () => time, capacity: 8 });
  guard.begin(session);
});

describe('the replay guard', () => {
  it('lets a message through once', () => {
    guard.check(registered);
    expect(check({ ...leave, id: ulid(2) })).toBeUndefined();
    expect(check({ ...leave, id: ulid(2) })).toBe('MESSAGE_REPLAYED');
  });

  it('refuses what is meant for another pool, worker or session', () => {
    guard.check(registered);
    const message = { ...leave, id: ulid(2) };
    expect(check({ ...message, pool: ulid(9) })).toBe('MESSAGE_REPLAYED');
    expect(check({ ...message, worker: ulid(9) })).toBe('MESSAGE_REPLAYED');
    expect(check({ ...message, session: 'b'.repeat(32) })).toBe('MESSAGE_REPLAYED');
    expect(check(message)).toBeUndefined();
  });

  it('refuses everything but the answer to "register" at first', () => {
    expect(check({ ...down, type: 'drain', drained: true })).toBe('INVALID_MESSAGE');
    expect(guard.now()).toBeUndefined();
    expect(check(registered)).toBeUndefined();
  });

  it('lets a worker be sent away that must not register', () => {
    expect(check(leave)).toBeUndefined();
    expect(guard.now()).toBe(start);
    expect(check({ ...leave, id: ulid(2), session: 'b'.repeat(32) })).toBe('MESSAGE_REPLAYED');
  });

  it('tells time by the control plane, however wrong the own clock is', () => {
    for (const own of [0, 5_000_000_000_000]) {
      time = own;
      guard.begin(session);
      guard.check(registered);
      time += 14_999;
      expect(guard.now()).toBe(start + 14_999);
      expect(check({ ...leave, id: ulid(2) })).toBeUndefined();
      time += 1;
      expect(check({ ...leave, id: ulid(3) })).toBe('MESSAGE_EXPIRED');
    }
  });

  it('does not let a delayed "registered" set the clock back', () => {
    guard.check(registered);
    time = 10_000;
    guard.check({ ...registered, id: ulid(2), issuedAt: start + 1_000, expiresAt: start + 16_000 });
    expect(guard.now()).toBe(start + 10_000);
    time = 20_000;
    expect(check({ ...registered, id: ulid(3) })).toBe('MESSAGE_EXPIRED');
  });

  it('starts anew with a new session', () => {
    guard.check(registered);
    time = 1_000_000;
    const next = { session: 'c'.repeat(32), issuedAt: start + 5, expiresAt: start + 15_005 };
    guard.begin(next.session);
    expect(check({ ...registered, id: ulid(2) })).toBe('MESSAGE_REPLAYED');
    guard.check({ ...registered, ...next });
    expect(guard.now()).toBe(start + 5);
  });

  it('lets nothing through twice, even when it cannot remember all ids', () => {
    const step = fc.record({
      id: fc.integer({ min: 2, max: 40 }),
      wait: fc.integer({ min: 0, max: 3_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        time = 0;
        guard.begin(session);
        guard.check(registered);
        const passed = new Set<number>();
        for (const { id, wait } of steps) {
          time += wait;
          // The end follows from the id: a repeated message is the same message.
          const message = { ...down, id: ulid(id), expiresAt: start + id * 2_000 };
          const code = check({ ...leave, ...message });
          if (code === undefined) {
            expect(passed.has(id)).toBe(false);
            expect(message.expiresAt).toBeGreaterThan(start + time);
            passed.add(id);
          }
        }
      }),
    );
  });

  it('forgets the earliest end when it is full, and lets nothing in that ends no later', () => {
    guard.check(registered);
    const ending = (id: number, end: number) => ({ ...leave, id: ulid(id), expiresAt: start + end });
    for (let id = 10; id < 20; id += 1) guard.check(ending(id, 20_000 + id));
    expect(check(ending(30, 20_010))).toBe('MESSAGE_EXPIRED');
    expect(check(ending(31, 20_019))).toBeUndefined();
    expect(check(ending(19, 20_019))).toBe('MESSAGE_REPLAYED');
  });

  it('forgets ids whose time is over, so that a long session goes on', () => {
    guard.check(registered);
    for (let number = 2; number < 500; number += 1) {
      time += 2_000;
      expect(check({ ...leave, id: ulid(number), expiresAt: start + time + 15_000 })).toBeUndefined();
    }
  });
});

function check(message: DownMessage): string | undefined {
  return codeOf(() => {
    guard.check(message);
  });
}
