// Keeps every pool's queue moving: a wake-up starts a pass, wake-ups during a pass lead to one more.
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Context } from '../context.js';
import type { ControlPlaneEvent } from '../events.js';
import { traceAssigned } from '../runs/traced.js';
import { isEnd } from '../runs/transitions.js';
import { publicPoolId } from '../store/pool-tables.js';
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
  /** How often it was done again because something may have been locked only. */
  missed: number;
  done: Promise<void>;
}

/** Every pool with runs that wait is looked at this often, whatever happens, in milliseconds. */
const roundEvery = 5000;

/** How long a pool rests after a pass failed, in milliseconds. */
const retryAfter = 1000;

/** A change of another process is dealt with there; should it have died of it, here after this many milliseconds. */
const elsewhereAfter = 500;

/** How often a pass is done again at once when what it looked for was only locked, and after how long. */
const passedOver = { times: 5, after: 20 } as const;

/**
 * Wakes itself on events. A pass that fails is logged and done again: no wake-up is lost. `concurrent`: the
 * database works on several transactions at a time, so a pass may find a worker or run locked by another one.
 */
export function startScheduler(
  context: Context,
  { concurrent }: { readonly concurrent: boolean } = { concurrent: false },
): Scheduler {
  /** Pools with a pass under way → whether another one must follow. */
  const passes = new Map<string, Pass>();
  /** Pools that are looked at again after a while. */
  const timers = new Map<string, NodeJS.Timeout>();
  let closed = false;

  function wake(pool: string): void {
    if (closed) return;
    const pass = passes.get(pool);
    if (pass !== undefined) {
      pass.again = true;
      return;
    }
    const started = { again: false, missed: 0, done: Promise.resolve() };
    passes.set(pool, started);
    started.done = run(pool, started);
  }

  function wakeLater(pool: string, after: number): void {
    if (closed || timers.has(pool)) return;
    const timer = setTimeout(() => {
      timers.delete(pool);
      wake(pool);
    }, after);
    timers.set(pool, timer);
  }

  async function run(pool: string, pass: Pass): Promise<void> {
    try {
      for (let first = true; first || pass.again; first = false) {
        pass.again = false;
        await assignAll(context, pool);
        if (!concurrent || isWanted(pass)) continue;
        if (pass.missed < passedOver.times && (await mayHavePassedOver(context, pool))) {
          pass.missed += 1;
          pass.again = true;
          await sleep(passedOver.after);
        }
      }
    } catch (error) {
      context.log.error({ err: error, pool }, 'a pass over the queue failed and will be repeated');
      wakeLater(pool, retryAfter);
    } finally {
      passes.delete(pool);
    }
  }

  const unsubscribe = context.events.subscribe((event, origin) => {
    if (!letsStart(event)) return;
    if (origin === 'here') wake(event.pool);
    else wakeLater(event.pool, elsewhereAfter);
    if (event.kind === 'run' && isEnd(event.state)) wakeDependents(event.stack);
  });

  function wakeDependents(stack: string): void {
    dependentPools(context, stack).then(
      (pools) => {
        pools.forEach(wake);
      },
      (error: unknown) => {
        context.log.error(
          { err: error, stack },
          'looking for dependent stacks failed; the next round finds them',
        );
      },
    );
  }

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
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all([...passes.values()].map(({ done }) => done));
    },
  };
}

/** Hands out runs as long as there is one, and a worker for it. */
function assignAll(context: Context, pool: string): Promise<void> {
  const start = { name: 'assign', quiet: true, root: true, attributes: { 'poolwright.pool.id': pool } };
  return context.traces.span(start, async (span) => {
    let count = 0;
    for (;;) {
      const match = await assignNext(context, pool);
      if (match === undefined) return;
      count += 1;
      span.did({ 'poolwright.runs.assigned': count });
      await sendAssignment(context, match);
      await traceAssigned(context, match.run);
    }
  });
}

/** Whether a run may start now that could not before: there is a worker more, a run more, or one less to wait for. */
function letsStart(
  event: ControlPlaneEvent,
): event is Extract<ControlPlaneEvent, { kind: 'worker' | 'run' | 'pool' }> {
  switch (event.kind) {
    case 'worker':
      return event.free;
    case 'run':
      // One more waits, or one has ended that others of its stack waited for.
      return event.state === 'QUEUED' || event.state === 'CONFIRMED' || isEnd(event.state);
    case 'pool':
      return true;
    case 'assigned':
    case 'log':
    case 'stack':
      return false;
  }
}

/** Asked again because another wake-up may have come meanwhile. */
function isWanted(pass: Pass): boolean {
  return pass.again;
}

/**
 * Assigning takes no row that another transaction holds, which may only be one that notes a worker's report. Then
 * a worker is idle and a run waits, and yet nothing was assigned.
 */
async function mayHavePassedOver(context: Context, pool: string): Promise<boolean> {
  const worker = await context.db
    .selectFrom('workers')
    .select('id')
    .where('pool_id', '=', pool)
    .where('connected', '=', true)
    .where('leaving', '=', false)
    .where('drained', '=', false)
    .where('unavailable', 'is', null)
    .where('run_id', 'is', null)
    .limit(1)
    .executeTakeFirst();
  if (worker === undefined) return false;
  const run = await context.db
    .selectFrom('runs')
    .select('id')
    .where('pool_id', '=', pool)
    .where('worker_id', 'is', null)
    .where('state', 'in', ['QUEUED', 'CONFIRMED'])
    .where('hold', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return run !== undefined;
}

/** Each answered by the first entry of its queue's index, however long the queue is. */
async function waitingPools(context: Context): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from worker_pools where exists (
      select 1 from runs where pool_id = worker_pools.id and worker_id is null
        and state in ('QUEUED', 'CONFIRMED') and hold is null
    )`.execute(context.db);
  return rows.map(({ id }) => id);
}

/** Of the stacks that depend on one, whose runs may have waited for it. */
async function dependentPools(context: Context, stack: string): Promise<string[]> {
  const rows = await context.db
    .selectFrom('stack_dependencies')
    .innerJoin('stacks', 'stacks.id', 'stack_dependencies.stack_id')
    .select('stacks.pool_id')
    .distinct()
    .where('stack_dependencies.depends_on', '=', stack)
    .execute();
  return rows.map(({ pool_id }) => pool_id ?? publicPoolId);
}
