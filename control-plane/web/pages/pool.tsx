// One pool: its workers, its queue, and the stacks that use it.
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { poolCounts, listWorkers, workerStatus } from '../../pools/workers.js';
import { queuedRuns, waitReason } from '../../queue/waiting.js';
import { listStacks } from '../../stacks/stacks.js';
import type { PoolRow, WorkerRow } from '../../store/schema.js';
import { Badge, Empty, Live, Time } from '../layout.js';
import { Figure } from './pools.js';

interface PoolPageProperties {
  readonly context: Context;
  readonly pool: PoolRow;
  readonly rights: Rights;
  readonly mayChange: boolean;
}

export async function PoolPage({ context, pool, rights, mayChange }: PoolPageProperties) {
  const [counts, workers, stacks] = await Promise.all([
    poolCounts(context, pool.id),
    listWorkers(context, pool.id),
    listStacks(context, { pool: pool.id }),
  ]);
  const queue = await Promise.all(
    (await queuedRuns(context, pool.id))
      .slice(0, 100)
      .map(async (run) => ({ run, reason: await waitReason(context, run, rights.spaces) })),
  );
  const stackOf = new Map<string, string>();
  for (const { run_id } of workers) {
    if (run_id === null) continue;
    const run = await context.db
      .selectFrom('runs')
      .select('stack_id')
      .where('id', '=', run_id)
      .executeTakeFirst();
    if (run !== undefined) stackOf.set(run_id, run.stack_id);
  }
  return (
    <>
      <h1>{pool.name}</h1>
      <p class="facts">
        {pool.description === '' ? '' : `${pool.description} · `}
        <code>{pool.id}</code>
      </p>
      <Live id="figures">
        <dl class="figures wide">
          <Figure name="workers" value={counts.workers} />
          <Figure name="busy" value={counts.busy} />
          <Figure name="drained" value={counts.drained} />
          <Figure name="runs waiting" value={counts.pendingRuns} />
        </dl>
      </Live>
      <section aria-labelledby="workers-title">
        <h2 id="workers-title">Workers</h2>
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
                    {mayChange ? <th scope="col">Drain</th> : null}
                  </tr>
                </thead>
                <tbody>
                  {workers.map((worker) => (
                    <Worker worker={worker} stack={stackOf.get(worker.run_id ?? '')} mayChange={mayChange} />
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Live>
      </section>
      <section aria-labelledby="queue-title">
        <h2 id="queue-title">Queue</h2>
        <Live id="queue">
          {queue.length === 0 ? (
            <Empty>No run waits for a worker.</Empty>
          ) : (
            <ol class="queue">
              {queue.map(({ run, reason }) => (
                <li>
                  <a href={`/stacks/${run.stack_id}/runs/${run.id}`}>{run.title}</a>{' '}
                  <Badge word={run.state} /> of <a href={`/stacks/${run.stack_id}`}>{run.stack_id}</a>, since{' '}
                  <Time at={run.queued_at} />
                  <span class="reason">{reason}</span>
                </li>
              ))}
            </ol>
          )}
        </Live>
      </section>
      <section aria-labelledby="used-title">
        <h2 id="used-title">Used by</h2>
        {stacks.length === 0 ? (
          <Empty>
            No stack uses this pool. Give it one with{' '}
            <code>poolwright stack update STACK --pool {pool.name}</code>.
          </Empty>
        ) : (
          <ul class="plain">
            {stacks.map((stack) => (
              <li>
                <a href={`/stacks/${stack.id}`}>{stack.name}</a>{' '}
                <span class="facts">{stack.description}</span>
              </li>
            ))}
          </ul>
        )}
      </section>
    </>
  );
}

function Worker(properties: {
  readonly worker: WorkerRow;
  readonly stack: string | undefined;
  readonly mayChange: boolean;
}) {
  const { worker, stack, mayChange } = properties;
  const status = workerStatus(worker);
  const drain = worker.drained ? 'undrain' : 'drain';
  return (
    <tr>
      <td>
        <Badge word={status} />
        {worker.connected ? null : <span class="note">out of contact</span>}
        {worker.leaving ? <span class="note">leaving</span> : null}
        {status === 'BUSY' && worker.drained ? <span class="note">draining</span> : null}
      </td>
      <td>
        <code>{worker.id}</code>
        <span class="facts">
          {worker.executor} · {worker.version}
        </span>
      </td>
      <td>
        {worker.run_id === null ? (
          '–'
        ) : (
          <a href={`/stacks/${stack ?? ''}/runs/${worker.run_id}`}>{stack ?? worker.run_id}</a>
        )}
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
