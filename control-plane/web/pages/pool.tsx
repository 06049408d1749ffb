// One pool, private or public: its figures, and its tabs. Each tab is an address of its own.
import type { Child } from 'hono/jsx';
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { listAlarms } from '../../pools/alarms.js';
import { poolCounts } from '../../pools/workers.js';
import { listStacks } from '../../stacks/stacks.js';
import type { PoolRow } from '../../store/schema.js';
import { Empty, Live } from '../layout.js';
import { OpenAlarm } from './alarms.js';
import { PoolFigures } from './pools.js';

export type PoolTab = 'workers' | 'queued' | 'used-by' | 'activity';

const labels = { workers: 'Workers', queued: 'Queued', 'used-by': 'Used by', activity: 'Activity' } as const;

/** Where a tab is. Workers of the public pool are nobody's to see, so its first tab is its queue. */
export function tabAddress(pool: PoolRow, tab: PoolTab): string {
  const base = pool.public ? '/pools/public' : `/pools/${pool.id}`;
  const first = pool.public ? 'queued' : 'workers';
  return tab === first ? base : `${base}/${tab}`;
}

interface PoolFrameProperties {
  readonly context: Context;
  readonly pool: PoolRow;
  readonly tab: PoolTab;
  readonly rights: Rights;
  readonly children: Child;
}

export async function PoolFrame({ context, pool, tab, rights, children }: PoolFrameProperties) {
  const counts = await poolCounts(context, pool.id, rights.spaces);
  const alarms = (await listAlarms(context)).filter(
    ({ pool_id, cleared_at }) => pool_id === pool.id && cleared_at === null,
  );
  const tabs: readonly PoolTab[] = [
    ...(pool.public ? [] : ['workers' as const]),
    'queued',
    'used-by',
    'activity',
  ];
  return (
    <>
      <h1>{pool.public ? 'Public worker pool' : pool.name}</h1>
      <p class="facts">
        {pool.public ? (
          'Runs of stacks without a pool of their own come here. Its workers are shared, so they are not listed; runs are counted as far as you may see their stacks.'
        ) : (
          <>
            {pool.description === '' ? '' : `${pool.description} · `}
            <code>{pool.id}</code>
          </>
        )}
      </p>
      <Live id="figures">
        {pool.public ? null : alarms.map((alarm) => <OpenAlarm alarm={alarm} here />)}
        <PoolFigures counts={counts} drained={!pool.public} />
      </Live>
      <nav class="tabs" aria-label="Of this pool">
        {tabs.map((name) => (
          <a href={tabAddress(pool, name)} aria-current={name === tab ? 'page' : undefined}>
            {labels[name]}
          </a>
        ))}
      </nav>
      {children}
    </>
  );
}

interface UsedByProperties {
  readonly context: Context;
  readonly pool: PoolRow;
  readonly rights: Rights;
}

/** Of the stacks that use the pool, those that one sees. */
export async function UsedBy({ context, pool, rights }: UsedByProperties) {
  const stacks = (await listStacks(context, { pool: pool.id })).filter(({ space }) => rights.sees(space));
  return (
    <section aria-labelledby="used-title">
      <h2 id="used-title">Used by</h2>
      {stacks.length === 0 ? (
        <Empty>
          {pool.public ? (
            'Every stack that you see has a pool of its own.'
          ) : (
            <>
              No stack uses this pool. Give it one with{' '}
              <code>poolwright stack update STACK --pool {pool.name}</code>.
            </>
          )}
        </Empty>
      ) : (
        <ul class="rows">
          {stacks.map((stack) => (
            <li>
              <a class="strong" href={`/stacks/${stack.id}`}>
                {stack.name}
              </a>
              <span class="facts">{stack.description}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
