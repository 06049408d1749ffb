// Work by key: a key that is added while its work is under way is worked on once more afterwards, never twice at a time.
// A failure is tried again after a doubling wait.
import { messageOf } from '../../protocol/errors.js';
import { createBackoff, type Backoff } from '../backoff.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';

export interface WorkQueue {
  add(key: string): void;
  /** At that time or before; each key has one such time, the earliest that was asked for since it was worked on. */
  addAfter(key: string, milliseconds: number): void;
  /** At once, and forgetting how often they have failed. */
  retry(keys: readonly string[]): void;
  close(): void;
}

export function createWorkQueue(options: {
  readonly process: (key: string) => Promise<void>;
  readonly concurrency: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}): WorkQueue {
  const { process, concurrency, clock, random, log } = options;
  const waiting = new Set<string>();
  const running = new Set<string>();
  const later = new Map<string, { readonly at: number; readonly cancel: () => void }>();
  const backoffs = new Map<string, Backoff>();
  let closed = false;

  function pump(): void {
    for (const key of waiting) {
      if (closed || running.size >= concurrency) return;
      if (running.has(key)) continue;
      waiting.delete(key);
      running.add(key);
      void work(key);
    }
  }

  async function work(key: string): Promise<void> {
    try {
      await process(key);
      backoffs.delete(key);
    } catch (error) {
      if (closed) return;
      const backoff = backoffs.get(key) ?? createBackoff({ base: 500, ceiling: 30_000, random });
      backoffs.set(key, backoff);
      const wait = 100 + backoff.next();
      log.warn(`${key} could not be brought in order (${messageOf(error)}). Trying again.`, { key });
      addAfter(key, wait);
    } finally {
      running.delete(key);
      pump();
    }
  }

  function add(key: string): void {
    if (closed) return;
    later.get(key)?.cancel();
    later.delete(key);
    waiting.add(key);
    pump();
  }

  function addAfter(key: string, milliseconds: number): void {
    if (closed) return;
    const at = clock.monotonic() + milliseconds;
    const before = later.get(key);
    if (before !== undefined && before.at <= at) return;
    before?.cancel();
    const cancel = clock.after(milliseconds, () => {
      later.delete(key);
      add(key);
    });
    later.set(key, { at, cancel });
  }

  return {
    add,
    addAfter,
    retry(keys) {
      backoffs.clear();
      for (const key of keys) add(key);
    },
    close() {
      closed = true;
      waiting.clear();
      for (const { cancel } of later.values()) cancel();
      later.clear();
    },
  };
}
