// The workers of a private pool: what each is and does, and the orders that operators give.
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { listWorkers, workerStatus } from '../../pools/workers.js';
import type { PoolRow, WorkerRow } from '../../store/schema.js';
import { Badge, Empty, Live, Time } from '../layout.js';

interface PoolWorkersProperties {
  readonly context: Context;
  readonly pool: PoolRow;
  readonly rights: Rights;
  readonly mayChange: boolean;
}

interface Current {
  readonly id: string;
  readonly stack_id: string;
  readonly name: string;
  readonly space: string;
}

export async function PoolWorkers({ context, pool, rights, mayChange }: PoolWorkersProperties) {
  const workers = await listWorkers(context, pool.id);
  const current = await currentRuns(context, workers, rights);
  return (
    <section aria-labelledby="workers-title">
      <div class="heading">
        <h2 id="workers-title">Workers</h2>
        <Live id="orders">
          {mayChange && workers.length > 0 ? <Orders pool={pool} workers={workers} /> : null}
        </Live>
      </div>
      <Live id="workers">
        {workers.length === 0 ? (
          <Empty>
            No worker is registered. Start a launcher with the pool's token in <code>SPACELIFT_TOKEN</code>{' '}
            and its key in <code>SPACELIFT_POOL_PRIVATE_KEY</code>.
          </Empty>
        ) : (
          <div class="scroll" tabindex={0} role="group" aria-label="Table of workers">
            <table>
              <thead>
                <tr>
                  <th scope="col">Status</th>
                  <th scope="col">Worker</th>
                  <th scope="col">Run</th>
                  <th scope="col">Metadata</th>
                  <th scope="col">Registered</th>
                  <th scope="col">Last contact</th>
                  {mayChange ? <th scope="col">Drain</th> : null}
                </tr>
              </thead>
              <tbody>
                {workers.map((worker) => (
                  <Worker worker={worker} current={current} mayChange={mayChange} />
                ))}
              </tbody>
            </table>
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

function Orders({ pool, workers }: { readonly pool: PoolRow; readonly workers: readonly WorkerRow[] }) {
  const open = workers.some(({ drained }) => !drained);
  const closed = workers.some(({ drained }) => drained);
  return (
    <>
      <div class="actions">
        {open ? (
          <Order pool={pool} order="drain">
            drain all
          </Order>
        ) : null}
        {closed ? (
          <Order pool={pool} order="undrain">
            undrain all
          </Order>
        ) : null}
        <Order pool={pool} order="cycle">
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
}) {
  const { pool, order, children } = properties;
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
  readonly mayChange: boolean;
}) {
  const { worker, current, mayChange } = properties;
  const status = workerStatus(worker);
  const run = current.get(worker.run_id ?? '');
  const drain = worker.drained ? 'undrain' : 'drain';
  return (
    <tr>
      <td>
        <Badge word={status} />
        {worker.connected ? null : <span class="note">out of contact</span>}
        {worker.leaving ? <span class="note">leaving</span> : null}
        {worker.unavailable === null ? null : <span class="note">takes no run: {worker.unavailable}</span>}
        {status === 'BUSY' && worker.drained ? <span class="note">draining</span> : null}
      </td>
      <td>
        <code>{worker.id}</code>
        <span class="facts">
          {worker.executor} · {worker.version}
        </span>
      </td>
      <td>
        {worker.run_id === null ? '–' : null}
        {run === undefined ? null : <a href={`/stacks/${run.stack_id}/runs/${run.id}`}>{run.name}</a>}
        {worker.run_id !== null && run === undefined ? 'of a stack that you do not see' : null}
      </td>
      <td>
        <dl class="metadata">
          {Object.entries(worker.metadata).map(([key, value]) => (
            <div>
              <dt>{key}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </td>
      <td>
        <Time at={worker.created_at} />
      </td>
      <td>
        <Time at={worker.last_contact_at} />
      </td>
      {mayChange ? (
        <td>
          <form method="post" action={`/pools/${worker.pool_id}/workers/${worker.id}/${drain}`}>
            <button class="quiet" aria-label={`${drain} worker ${worker.id}`}>
              {drain}
            </button>
          </form>
        </td>
      ) : null}
    </tr>
  );
}
