// Workers as people see and steer them: list, status, drain.
import { sql, type RawBuilder } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import { rhythm } from '../../protocol/limits.js';
import { audit } from '../access/audit.js';
import type { Addressee, Context, Tx } from '../context.js';
import { countPending } from '../queue/pending.js';
import type { WorkerRow } from '../store/schema.js';

export type WorkerStatus = 'IDLE' | 'BUSY' | 'DRAINED';

/** A drained worker that still has its last run counts as BUSY until that ends. */
export function workerStatus(worker: WorkerRow): WorkerStatus {
  if (worker.run_id !== null) return 'BUSY';
  return worker.drained ? 'DRAINED' : 'IDLE';
}

/** Where a message reaches it. */
export function addressOf(worker: Pick<WorkerRow, 'id' | 'pool_id' | 'session' | 'line'>): Addressee {
  const { id, pool_id: pool, session, line } = worker;
  return { pool, worker: id, session, line };
}

/** Whether it may be given a run. */
export function isFree(worker: WorkerRow): boolean {
  const { connected, leaving, drained, unavailable, run_id } = worker;
  return connected && !leaving && !drained && unavailable === null && run_id === null;
}

/** For an update of workers that are out of contact since `now` (Unix milliseconds): when each counts as lost. */
export function lostAt(now: number, after: number = rhythm.lostAfter): RawBuilder<number> {
  const pod = now + Math.max(after, rhythm.podLostAfter);
  return sql<number>`case when executor = 'pod' then ${pod}::bigint else ${now + after}::bigint end`;
}

/** When it was noticed that a worker which counts as lost at `lost` is out of contact, or later where it was given more time. */
export function noticedAt(executor: WorkerRow['executor'], lost: number): number {
  return lost - (executor === 'pod' ? rhythm.podLostAfter : rhythm.lostAfter);
}

/** For workers: when something was heard of them last, be it by the line that they share. */
export const lastContact = sql<number>`greatest(last_contact_at, coalesce(
  (select heard.last_contact_at from worker_lines as heard where heard.id = workers.line), 0))`;

/** Oldest first. Workers that are out of contact but not lost yet are among them. */
export function listWorkers(context: Pick<Context, 'db'>, pool: string): Promise<WorkerRow[]> {
  return context.db
    .selectFrom('workers')
    .selectAll()
    .select(lastContact.as('last_contact_at'))
    .where('pool_id', '=', pool)
    .orderBy('id')
    .execute();
}

export function findWorker(context: Pick<Context, 'db'>, worker: string): Promise<WorkerRow | undefined> {
  return context.db.selectFrom('workers').selectAll().where('id', '=', worker).executeTakeFirst();
}

/**
 * Drains or undrains a worker under the lock that an assignment takes: when the answer has no `run_id`, no run
 * starts there until it is undrained. Throws NOT_FOUND.
 */
export async function setDrained(
  context: Context,
  pool: string,
  worker: string,
  drained: boolean,
): Promise<WorkerRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    const found = await tx
      .selectFrom('workers')
      .selectAll()
      .where('id', '=', worker)
      .where('pool_id', '=', pool)
      .forUpdate()
      .executeTakeFirst();
    if (found === undefined) {
      throw new PoolwrightError('NOT_FOUND', `The worker pool ${pool} has no worker ${worker}.`);
    }
    const changed = await tx
      .updateTable('workers')
      .set({ drained })
      .where('id', '=', worker)
      .returningAll()
      .executeTakeFirstOrThrow();
    if (context.actor !== undefined) await auditDrain(tx, context, found, changed);
    return changed;
  });
  context.outbox.send(addressOf(row), { type: 'drain', drained });
  context.events.emit({ kind: 'worker', pool, worker, free: isFree(row) });
  return row;
}

/** The same for every worker that the pool has now. One that goes meanwhile is left out. */
export async function setAllDrained(context: Context, pool: string, drained: boolean): Promise<WorkerRow[]> {
  const changed: WorkerRow[] = [];
  for (const { id } of await listWorkers(context, pool)) {
    try {
      changed.push(await setDrained(context, pool, id, drained));
    } catch (error) {
      if (!(error instanceof PoolwrightError) || error.code !== 'NOT_FOUND') throw error;
    }
  }
  return changed;
}

async function auditDrain(tx: Tx, context: Context, before: WorkerRow, after: WorkerRow): Promise<void> {
  const { space } = await tx
    .selectFrom('worker_pools')
    .select('space')
    .where('id', '=', after.pool_id)
    .executeTakeFirstOrThrow();
  await audit(tx, context, {
    action: after.drained ? 'worker.drain' : 'worker.undrain',
    type: 'worker',
    id: after.id,
    space,
    before: { drained: before.drained },
    after: { drained: after.drained, pool: after.pool_id, run: after.run_id },
  });
}

export interface PoolCounts {
  readonly workers: number;
  readonly busy: number;
  readonly drained: number;
  /** Runs that could start now if a worker were idle. */
  readonly pendingRuns: number;
}

/**
 * `spaces`: only runs of stacks in these are counted, and workers as busy only with such runs; null: all. Of a private pool
 * whoever sees it sees all its stacks; of the public one not.
 */
export async function poolCounts(
  { db }: Pick<Context, 'db'>,
  pool: string,
  spaces: readonly string[] | null = null,
): Promise<PoolCounts> {
  const seen = spaces === null ? sql`true` : sql`stacks.space in (${sql.join(['', ...spaces])})`;
  const { rows } = await sql<Omit<PoolCounts, 'pendingRuns'>>`
    select count(*)::integer as workers,
      ${
        spaces === null
          ? sql`count(run_id)::integer`
          : sql`(count(*) filter (where exists (select 1 from runs join stacks on stacks.id = runs.stack_id where runs.id = workers.run_id and ${seen})))::integer`
      } as busy,
      (count(*) filter (where drained))::integer as drained
    from workers where pool_id = ${pool}`.execute(db);
  const counts = rows[0] ?? { workers: 0, busy: 0, drained: 0 };
  return { ...counts, pendingRuns: await countPending({ db }, pool, spaces) };
}
