// What monitoring reads at /metrics. Counts of pools are asked of the database at each scrape, so that every process
// of one control plane says the same; what happens is counted as it happens in this process.
import { sql } from 'kysely';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Context } from '../context.js';
import { isEnd } from '../runs/transitions.js';
import { publicPoolId } from '../store/pool-tables.js';

export interface Metrics {
  /** The text format of Prometheus. */
  text(): Promise<string>;
  readonly contentType: string;
  close(): void;
}

const poolLabels = ['worker_pool_id', 'worker_pool_name'] as const;

interface PoolFigures {
  readonly id: string;
  readonly name: string;
  readonly pending: number;
  readonly workers: number;
  readonly busy: number;
  readonly drained: number;
}

/** Seconds: from at once to a day. */
const waitBuckets = [0.01, 0.1, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600];

/** Counts until `close`. */
export function createMetrics(context: Context): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: poolLabels, registers });
  const plain = (name: string, help: string) => new Gauge({ name, help, registers });

  // These names are those that people have in their dashboards already.
  const pools = {
    pending: gauge('spacelift_worker_pool_runs_pending', 'Runs that could start now if a worker were idle'),
    workers: gauge('spacelift_worker_pool_workers', 'Workers of the pool'),
    busy: gauge('spacelift_worker_pool_workers_busy', 'Workers that have a run'),
    drained: gauge('spacelift_worker_pool_workers_drained', 'Workers that are drained'),
  } as const;
  const shared = {
    pending: plain(
      'spacelift_public_worker_pool_runs_pending',
      'Runs that could start now in the public pool',
    ),
    busy: plain('spacelift_public_worker_pool_workers_busy', 'Workers of the public pool that have a run'),
    workers: plain(
      'spacelift_public_worker_pool_parallelism',
      'Runs that the public pool can process at a time',
    ),
  } as const;
  const alarms = plain('poolwright_alarms_open', 'Alarms that are not over');
  const waited = new Histogram({
    name: 'poolwright_run_queue_wait_seconds',
    help: 'From entering the queue, once more after confirmation or when put back, to being given to a worker',
    labelNames: ['worker_pool_id'],
    buckets: waitBuckets,
    registers,
  });
  const ended = new Counter({
    name: 'poolwright_runs_ended_total',
    help: 'Runs that have reached an end, by its kind',
    labelNames: ['worker_pool_id', 'state'],
    registers,
  });

  const unsubscribe = context.events.subscribe((event, origin) => {
    // Where it happened it is counted; elsewhere it would count twice.
    if (origin !== 'here') return;
    if (event.kind === 'assigned') waited.observe({ worker_pool_id: event.pool }, event.waited / 1000);
    if (event.kind === 'run' && isEnd(event.state))
      ended.inc({ worker_pool_id: event.pool, state: event.state });
  });

  async function look(): Promise<void> {
    const figures = await poolFigures(context);
    for (const key of ['pending', 'workers', 'busy', 'drained'] as const) {
      // A pool that was deleted is not counted any more.
      pools[key].reset();
      for (const { id, name, ...counts } of figures) {
        if (id !== publicPoolId) pools[key].set({ worker_pool_id: id, worker_pool_name: name }, counts[key]);
        else if (key !== 'drained') shared[key].set(counts[key]);
      }
    }
    const { open } = await context.db
      .selectFrom('alarms')
      .select(({ fn }) => fn.countAll<number>().as('open'))
      .where('cleared_at', 'is', null)
      .executeTakeFirstOrThrow();
    alarms.set(open);
  }

  return {
    contentType: registry.contentType,
    async text() {
      await look();
      return registry.metrics();
    },
    close: unsubscribe,
  };
}

async function poolFigures(context: Pick<Context, 'db'>): Promise<readonly PoolFigures[]> {
  const { rows } = await sql<PoolFigures>`
    select worker_pools.id, worker_pools.name,
      (select coalesce(sum(change), 0)::integer from pending_runs where pool_id = worker_pools.id) as pending,
      count(workers.id)::integer as workers,
      count(workers.run_id)::integer as busy,
      (count(*) filter (where workers.drained))::integer as drained
    from worker_pools left join workers on workers.pool_id = worker_pools.id
    where worker_pools.deleted_at is null
    group by worker_pools.id, worker_pools.name order by worker_pools.id`.execute(context.db);
  return rows;
}
