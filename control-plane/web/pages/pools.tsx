// All pools: how many workers, how busy, what waits.
import { listPools } from '../../pools/pools.js';
import { poolCounts } from '../../pools/workers.js';
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { Empty, Live } from '../layout.js';

interface PoolsPageProperties {
  readonly context: Context;
  readonly rights: Rights;
}

export async function PoolsPage({ context, rights }: PoolsPageProperties) {
  const pools = (await listPools(context)).filter(({ space }) => rights.sees(space));
  const rows = await Promise.all(
    pools.map(async (pool) => ({ pool, counts: await poolCounts(context, pool.id) })),
  );
  return (
    <>
      <h1>Worker pools</h1>
      <Live id="pools">
        {rows.length === 0 ? (
          <Empty>
            There is no pool yet. Make a key with <code>poolwright keys new --out pool</code>, then a pool
            with <code>poolwright pool create NAME --csr pool/pool.csr</code>.
          </Empty>
        ) : (
          <ul class="cards">
            {rows.map(({ pool, counts }) => (
              <li class="card">
                <h2>
                  <a href={`/pools/${pool.id}`}>{pool.name}</a>
                </h2>
                {pool.description === '' ? null : <p>{pool.description}</p>}
                <dl class="figures">
                  <Figure name="workers" value={counts.workers} />
                  <Figure name="busy" value={counts.busy} />
                  <Figure name="drained" value={counts.drained} />
                  <Figure name="runs waiting" value={counts.pendingRuns} />
                </dl>
              </li>
            ))}
          </ul>
        )}
        <p>
          <a href="/pools/public">The public worker pool</a>{' '}
          <span class="facts">takes the runs of stacks that have no pool.</span>
        </p>
      </Live>
    </>
  );
}

export function Figure({ name, value }: { readonly name: string; readonly value: number }) {
  return (
    <div class={value === 0 ? 'zero' : ''}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
