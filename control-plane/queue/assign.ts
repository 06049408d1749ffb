// Hands the first waiting run of a pool to the worker that has been idle longest.
import type { Context } from '../context.js';
import { tell } from '../runs/change.js';
import { retried } from '../store/retrying.js';
import type { RunRow, WorkerRow } from '../store/schema.js';
import { claim, type Claim, type DriftRuns } from './claim.js';

export interface Match {
  readonly run: RunRow;
  readonly worker: Pick<WorkerRow, 'id' | 'pool_id' | 'session' | 'line'>;
}

/** Answers undefined when no run waits that may start, or no worker is free. Never waits for another process. */
export async function assignNext(context: Context, pool: string): Promise<Match | undefined> {
  const { db, clock, events } = context;
  const unlimited = await retried(() => claim(db, pool, clock.now(), 'unlimited'));
  const { run, session, line } =
    unlimited.found && unlimited.run === undefined ? await claimLimited(context, pool) : unlimited;
  if (run?.worker_id == null) return undefined;
  tell(context, run);
  events.emit({ kind: 'worker', pool, worker: run.worker_id, free: false });
  const waited = Math.max(0, clock.now() - (run.waiting_since ?? run.queued_at));
  events.emit({ kind: 'assigned', run: run.id, pool, waited });
  return { run, worker: { id: run.worker_id, pool_id: pool, session, line } };
}

/**
 * The first of the queue looks for drift, in a pool that limits how many of them run at once. The pool's row is locked
 * while they are counted, so that two processes do not each let the last one go.
 */
function claimLimited({ db, clock }: Context, pool: string): Promise<Claim> {
  return db.transaction().execute(async (tx) => {
    const { limit } = await tx
      .selectFrom('worker_pools')
      .select('drift_detection_run_limit as limit')
      .where('id', '=', pool)
      .forNoKeyUpdate()
      .executeTakeFirstOrThrow();
    const { active } = await tx
      .selectFrom('runs')
      .select(({ fn }) => fn.countAll<number>().as('active'))
      .where('pool_id', '=', pool)
      .where('drift', '=', true)
      .where('worker_id', 'is not', null)
      .executeTakeFirstOrThrow();
    const may: DriftRuns = limit === null || active < limit ? 'all' : 'none';
    return claim(tx, pool, clock.now(), may);
  });
}
