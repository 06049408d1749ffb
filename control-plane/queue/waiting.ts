// Why a run waits, in words, and its place in the queue.
import { sql } from 'kysely';
import type { Context } from '../context.js';
import { endStates, writeTypes } from '../runs/transitions.js';
import type { RunRow } from '../store/schema.js';

/** 1 for the run that is next; null for one that does not wait for a worker. */
export async function queuePosition(context: Pick<Context, 'db'>, run: RunRow): Promise<number | null> {
  if (!waitsForWorker(run)) return null;
  const { ahead } = await context.db
    .selectFrom('runs')
    .select(({ fn }) => fn.countAll<number>().as('ahead'))
    .where('pool_id', '=', run.pool_id)
    .where('worker_id', 'is', null)
    .where('state', 'in', ['QUEUED', 'CONFIRMED'])
    .where(
      sql<boolean>`(-priority, queued_at, id) < (${-run.priority}::integer, ${run.queued_at}::bigint, ${run.id})`,
    )
    .executeTakeFirstOrThrow();
  return ahead + 1;
}

/** A sentence for people; null for a run that works or has ended. */
export async function waitReason(
  context: Pick<Context, 'db' | 'clock'>,
  run: RunRow,
): Promise<string | null> {
  if (run.state === 'UNCONFIRMED') return 'waits for someone to confirm or discard the plan';
  if (run.state === 'READY') return `assigned to worker ${run.worker_id ?? ''}, which has not answered yet`;
  if (!waitsForWorker(run)) return null;
  return (await blocker(context, run)) ?? poolReason(context, run);
}

function waitsForWorker(run: RunRow): boolean {
  return run.worker_id === null && (run.state === 'QUEUED' || run.state === 'CONFIRMED');
}

async function blocker(context: Pick<Context, 'db'>, run: RunRow): Promise<string | null> {
  if (run.state === 'CONFIRMED' || !writeTypes.includes(run.type)) return null;
  const other = await context.db
    .selectFrom('runs')
    .select(['id', 'state'])
    .where('stack_id', '=', run.stack_id)
    .where('type', 'in', writeTypes)
    .where('state', 'not in', ['QUEUED', ...endStates])
    .executeTakeFirst();
  return other === undefined ? null : `waits for run ${other.id} of the same stack, which is ${other.state}`;
}

async function poolReason(context: Pick<Context, 'db' | 'clock'>, run: RunRow): Promise<string> {
  const workers = await context.db
    .selectFrom('workers')
    .select(['connected', 'leaving', 'drained', 'run_id'])
    .where('pool_id', '=', run.pool_id)
    .execute();
  if (workers.length === 0) return 'the worker pool has no workers';
  const away = workers.filter(({ connected }) => !connected).length;
  const here = workers.filter(({ connected }) => connected);
  const busy = here.filter(({ run_id }) => run_id !== null).length;
  const drained = here.filter((worker) => worker.run_id === null && worker.drained).length;
  const leaving = here.filter((worker) => worker.run_id === null && !worker.drained && worker.leaving).length;
  const total = workers.length;
  const parts = [
    [busy, 'busy'],
    [drained, 'drained'],
    [leaving, 'leaving'],
    [away, 'out of contact'],
  ] as const;
  const counted = parts.filter(([count]) => count > 0).map(([count, word]) => `${String(count)} ${word}`);
  if (busy + drained + leaving + away < total) return 'a worker is idle; it is about to start';
  return `no idle worker: of ${String(total)}, ${counted.join(', ')}`;
}

/** Runs that wait for a worker of the pool, the next one first. */
export function queuedRuns(context: Pick<Context, 'db'>, pool: string): Promise<RunRow[]> {
  return context.db
    .selectFrom('runs')
    .selectAll()
    .where('pool_id', '=', pool)
    .where('worker_id', 'is', null)
    .where('state', 'in', ['QUEUED', 'CONFIRMED'])
    .orderBy('priority', 'desc')
    .orderBy('queued_at')
    .orderBy('id')
    .limit(1000)
    .execute();
}
