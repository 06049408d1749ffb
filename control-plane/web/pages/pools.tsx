// All pools: how many workers, how busy, what waits, and what needs a person.
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { listAlarms } from '../../pools/alarms.js';
import { listPools } from '../../pools/pools.js';
import { poolCounts, type PoolCounts } from '../../pools/workers.js';
import { publicPoolId } from '../../store/pool-tables.js';
import { Empty, Live } from '../layout.js';

interface PoolsPageProperties {
  readonly context: Context;
  readonly rights: Rights;
}

export async function PoolsPage({ context, rights }: PoolsPageProperties) {
  const pools = (await listPools(context)).filter(({ space }) => rights.sees(space));
  const [rows, shared, alarms] = await Promise.all([
    Promise.all(pools.map(async (pool) => ({ pool, counts: await poolCounts(context, pool.id) }))),
    poolCounts(context, publicPoolId, rights.spaces),
    listAlarms(context),
  ]);
  const alarmed = new Set(
    alarms.filter(({ cleared_at }) => cleared_at === null).map(({ pool_id }) => pool_id),
  );
  return (
    <>
      <h1>Worker pools</h1>
      <Live id="pools">
        {rows.length === 0 ? (
          <Empty>
            There is no private pool yet. Make a key with <code>poolwright keys new --out pool</code>, then a
            pool with <code>poolwright pool create NAME --csr pool/pool.csr</code>.
          </Empty>
        ) : null}
        <ul class="cards">
          {rows.map(({ pool, counts }) => (
            <PoolCard
              address={`/pools/${pool.id}`}
              name={pool.name}
              description={pool.description}
              counts={counts}
              trouble={troubleOf(counts, alarmed.has(pool.id))}
            />
          ))}
          <PoolCard
            address="/pools/public"
            name="Public worker pool"
            description="Takes the runs of stacks that have no pool of their own."
            counts={shared}
            trouble={shared.workers === 0 && shared.pendingRuns > 0 ? troubleOf(shared, false) : null}
          />
        </ul>
      </Live>
    </>
  );
}

/** What one should look at, in a few words; null where all is as it should be. */
function troubleOf({ workers, drained, pendingRuns }: PoolCounts, alarm: boolean): string | null {
  if (alarm) return 'alarm open';
  if (pendingRuns === 0) return null;
  if (workers === 0) return 'runs wait, no workers';
  return drained === workers ? 'runs wait, all workers drained' : null;
}

interface PoolCardProperties {
  readonly address: string;
  readonly name: string;
  readonly description: string;
  readonly counts: PoolCounts;
  readonly trouble: string | null;
}

function PoolCard({ address, name, description, counts, trouble }: PoolCardProperties) {
  return (
    <li class="card">
      <h2>
        <a href={address}>{name}</a>
      </h2>
      {trouble === null ? null : <p class="trouble">{trouble}</p>}
      {description === '' ? null : <p>{description}</p>}
      <PoolFigures counts={counts} />
    </li>
  );
}

interface PoolFiguresProperties {
  readonly counts: PoolCounts;
  /** Not of the public pool, where nobody drains. Default: true. */
  readonly drained?: boolean;
}

export function PoolFigures({ counts, drained = true }: PoolFiguresProperties) {
  return (
    <dl class="figures">
      <Figure name="workers" value={counts.workers} />
      <Figure name="busy" value={counts.busy} />
      {drained ? <Figure name="drained" value={counts.drained} /> : null}
      <Figure name="runs waiting" value={counts.pendingRuns} />
    </dl>
  );
}

function Figure({ name, value }: { readonly name: string; readonly value: number }) {
  return (
    <div class={value === 0 ? 'zero' : ''}>
      <dt>{name}</dt>
      <dd>{value.toLocaleString('en')}</dd>
    </div>
  );
}
