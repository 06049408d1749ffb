// Keeps every pool's queue moving: a wake-up starts a pass, wake-ups during a pass lead to one more.
import type { Context } from '../context.js';
import { isEnd } from '../runs/transitions.js';
import { assignNext } from './assign.js';
import { sendAssignment } from './assignment.js';

export interface Scheduler {
  /** Something has changed in a pool: look whether a run can start. Never throws. */
  wake(pool: string): void;
  /** Waits until no pass is under way and takes no more wake-ups. */
  close(): Promise<void>;
}

interface Pass {
  /** A wake-up came while it was under way. */
  again: boolean;
  done: Promise<void>;
}

/** Every pool with runs that wait is looked at this often, whatever happens, in milliseconds. */
const roundEvery = 5000;

/** How long a pool rests after a pass failed, in milliseconds. */
const retryAfter = 1000;

/** Wakes itself on events. A pass that fails is logged and done again: no wake-up is lost. */
export function startScheduler(context: Context): Scheduler {
  /** Pools with a pass under way → whether another one must follow. */
  const passes = new Map<string, Pass>();
  const timers = new Set<NodeJS.Timeout>();
  let closed = false;

  function wake(pool: string): void {
    if (closed) return;
    const pass = passes.get(pool);
    if (pass !== undefined) {
      pass.again = true;
      return;
    }
    const started = { again: false, done: Promise.resolve() };
    passes.set(pool, started);
    started.done = run(pool, started);
  }

  async function run(pool: string, pass: Pass): Promise<void> {
    try {
      for (let first = true; first || pass.again; first = false) {
        pass.again = false;
        let match = await assignNext(context, pool);
        while (match !== undefined) {
          await sendAssignment(context, match);
          match = await assignNext(context, pool);
        }
      }
    } catch (error) {
      context.log.error({ err: error, pool }, 'a pass over the queue failed and will be repeated');
      const timer = setTimeout(() => {
        timers.delete(timer);
        wake(pool);
      }, retryAfter);
      timers.add(timer);
    } finally {
      passes.delete(pool);
    }
  }

  const unsubscribe = context.events.subscribe((event) => {
    switch (event.kind) {
      case 'worker':
        if (event.free) wake(event.pool);
        return;
      case 'run':
        // One more waits, or one has ended that others of its stack waited for.
        if (event.state === 'QUEUED' || event.state === 'CONFIRMED' || isEnd(event.state)) wake(event.pool);
        return;
      case 'pool':
        wake(event.pool);
        return;
      case 'log':
      case 'stack':
        return;
    }
  });

  // Should a wake-up be lost between a change and its event, nothing waits for ever.
  const round = setInterval(() => {
    waitingPools(context).then(
      (pools) => {
        pools.forEach(wake);
      },
      (error: unknown) => {
        context.log.error({ err: error }, 'looking for waiting runs failed; it will be repeated');
      },
    );
  }, roundEvery);

  return {
    wake,
    async close() {
      closed = true;
      clearInterval(round);
      unsubscribe();
      for (const timer of timers) clearTimeout(timer);
      await Promise.all([...passes.values()].map(({ done }) => done));
    },
  };
}

async function waitingPools(context: Context): Promise<string[]> {
  const rows = await context.db
    .selectFrom('runs')
    .select('pool_id')
    .distinct()
    .where('worker_id', 'is', null)
    .where('state', 'in', ['QUEUED', 'CONFIRMED'])
    .execute();
  return rows.map(({ pool_id }) => pool_id);
}
