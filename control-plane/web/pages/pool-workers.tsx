// The workers of a private pool: what each is and does, and the orders that operators give.
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { listWorkers, workerStatus } from '../../pools/workers.js';
import type { PoolRow, WorkerRow } from '../../store/schema.js';
import { Badge, Empty, Live, Time } from '../layout.js';
import { Off, readOnly } from './parts.js';
import { Cell, Row, Table } from './table.js';

interface PoolWorkersProperties {
  readonly context: Context;
  readonly pool: PoolRow;
  readonly rights: Rights;
}

interface Current {
  readonly id: string;
  readonly stack_id: string;
  readonly name: string;
  readonly space: string;
}

export async function PoolWorkers({ context, pool, rights }: PoolWorkersProperties) {
  const refused = readOnly(rights);
  const workers = await listWorkers(context, pool.id);
  const current = await currentRuns(context, workers, rights);
  return (
    <section aria-labelledby="workers-title">
      <div class="heading">
        <h2 id="workers-title">Workers</h2>
        <Live id="orders">
          {workers.length > 0 ? <Orders pool={pool} workers={workers} refused={refused} /> : null}
        </Live>
      </div>
      <Live id="workers">
        {workers.length === 0 ? (
          <Empty>
            No worker is registered. Start a launcher with the pool's token in <code>SPACELIFT_TOKEN</code>{' '}
            and its key in <code>SPACELIFT_POOL_PRIVATE_KEY</code>.
          </Empty>
        ) : (
          <div class="scroll">
            <Table columns={['Status', 'Worker', 'Run', 'Metadata', 'Registered', 'Last contact', 'Drain']}>
              {workers.map((worker) => (
                <Worker worker={worker} current={current} refused={refused} />
              ))}
            </Table>
          </div>
        )}
      </Live>
    </section>
  );
}

/** The runs that workers have, of stacks that one sees. */
async function currentRuns(
  { db }: Context,
  workers: readonly WorkerRow[],
  rights: Rights,
): Promise<ReadonlyMap<string, Current>> {
  const ids = workers.flatMap(({ run_id }) => run_id ?? []);
  if (ids.length === 0) return new Map();
  const runs = await db
    .selectFrom('runs')
    .innerJoin('stacks', 'stacks.id', 'runs.stack_id')
    .select(['runs.id', 'runs.stack_id', 'stacks.name', 'stacks.space'])
    .where('runs.id', 'in', ids)
    .execute();
  return new Map(runs.filter(({ space }) => rights.sees(space)).map((run) => [run.id, run]));
}

interface OrdersProperties {
  readonly pool: PoolRow;
  readonly workers: readonly WorkerRow[];
  /** Why orders are not for whoever looks; null when they are. */
  readonly refused: string | null;
}

function Orders({ pool, workers, refused }: OrdersProperties) {
  const open = workers.some(({ drained }) => !drained);
  const closed = workers.some(({ drained }) => drained);
  return (
    <>
      <div class="actions">
        <Order pool={pool} order="drain" off={refused ?? (open ? null : 'all workers are drained')}>
          drain all
        </Order>
        <Order pool={pool} order="undrain" off={refused ?? (closed ? null : 'no worker is drained')}>
          undrain all
        </Order>
        <Order pool={pool} order="cycle" off={refused}>
          cycle
        </Order>
      </div>
      <p class="facts" id="cycle-means">
        Cycle: every worker ends, an idle one now, a busy one after its run.
      </p>
    </>
  );
}

function Order(properties: {
  readonly pool: PoolRow;
  readonly order: 'drain' | 'undrain' | 'cycle';
  readonly children: string;
  /** Why it cannot be given now. */
  readonly off: string | null;
}) {
  const { pool, order, children, off } = properties;
  if (off !== null)
    return (
      <Off id={order} why={off}>
        {children}
      </Off>
    );
  return (
    <form method="post" action={`/pools/${pool.id}/${order}`}>
      <button class="quiet" aria-describedby={order === 'cycle' ? 'cycle-means' : undefined}>
        {children}
      </button>
    </form>
  );
}

function Worker(properties: {
  readonly worker: WorkerRow;
  readonly current: ReadonlyMap<string, Current>;
  readonly refused: string | null;
}) {
  const { worker, current, refused } = properties;
  const status = workerStatus(worker);
  const run = current.get(worker.run_id ?? '');
  const drain = worker.drained ? 'undrain' : 'drain';
  return (
    <Row id={worker.id}>
      <Cell name="Status">
        <Badge word={status} />
        {worker.connected ? null : <span class="note bad">out of contact</span>}
        {worker.leaving ? <span class="note">leaving</span> : null}
        {worker.unavailable === null ? null : (
          <span class="note bad">takes no run: {worker.unavailable}</span>
        )}
        {status === 'BUSY' && worker.drained ? <span class="note">draining</span> : null}
      </Cell>
      <Cell name="Worker">
        <a href={`#${worker.id}`} title="Address of this worker">
          <code>{worker.id}</code>
        </a>
        <span class="facts">
          {worker.executor} · {worker.version}
        </span>
      </Cell>
      <Cell name="Run">
        {worker.run_id === null ? <span class="facts">none</span> : null}
        {run === undefined ? null : <a href={`/stacks/${run.stack_id}/runs/${run.id}`}>{run.name}</a>}
        {worker.run_id !== null && run === undefined ? 'of a stack that you do not see' : null}
      </Cell>
      <Cell name="Metadata">
        <dl class="metadata">
          {Object.entries(worker.metadata).map(([key, value]) => (
            <div>
              <dt>{key}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </Cell>
      <Cell name="Registered">
        <Time at={worker.created_at} />
      </Cell>
      <Cell name="Last contact">
        <Time at={worker.last_contact_at} />
      </Cell>
      <Cell name="Drain">
        {refused === null ? (
          <form method="post" action={`/pools/${worker.pool_id}/workers/${worker.id}/${drain}`}>
            <button class="quiet" aria-label={`${drain} worker ${worker.id}`}>
              {drain}
            </button>
          </form>
        ) : (
          <Off id={`${drain}-${worker.id}`} why={refused} label={`${drain} worker ${worker.id}`}>
            {drain}
          </Off>
        )}
      </Cell>
    </Row>
  );
}
