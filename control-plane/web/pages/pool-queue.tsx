// The queue of a pool: runs in progress first, then those that wait, each with why. The filter is part of the address.
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { searchSchedulableRuns, type SchedulableRun } from '../../queue/schedulable.js';
import { waitReason } from '../../queue/waiting.js';
import { runTypes } from '../../../protocol/runs.js';
import type { PoolRow } from '../../store/schema.js';
import type { Predicate } from '../../store/search.js';
import { Badge, Empty, Live, Time } from '../layout.js';
import { tabAddress } from './pool.js';

export interface QueueFilter {
  readonly text: string;
  readonly type: string;
  /** The end of the page before. */
  readonly after: string;
}

interface PoolQueueProperties {
  readonly context: Context;
  readonly pool: PoolRow;
  readonly rights: Rights;
  readonly filter: QueueFilter;
}

export async function PoolQueue({ context, pool, rights, filter }: PoolQueueProperties) {
  const predicates: Predicate[] =
    filter.type === '' ? [] : [{ field: 'type', constraint: { enumEquals: [filter.type] } }];
  const input = { fullTextSearch: filter.text, predicates, after: filter.after };
  const { edges, pageInfo } = await searchSchedulableRuns(context, pool.id, input, rights.spaces);
  const rows = await Promise.all(
    edges.map(async ({ node }) => ({ ...node, reason: await waitReason(context, node.run, rights.spaces) })),
  );
  const address = tabAddress(pool, 'queued');
  const filtered = filter.text !== '' || filter.type !== '';
  const next = new URLSearchParams({ text: filter.text, type: filter.type, after: pageInfo.endCursor ?? '' });
  return (
    <section aria-labelledby="queue-title">
      <h2 id="queue-title">Queued</h2>
      <form method="get" action={address} class="filter" role="search">
        <label>
          Run, stack or person <input name="text" type="search" value={filter.text} />
        </label>
        <label>
          Type{' '}
          <select name="type">
            <option value="">all</option>
            {runTypes.map((type) => (
              <option value={type} selected={type === filter.type}>
                {type.toLowerCase()}
              </option>
            ))}
          </select>
        </label>
        <button class="quiet">filter</button>
        {filtered ? <a href={address}>show all</a> : null}
      </form>
      <Live id="queue">
        {rows.length === 0 ? (
          <Empty>{filtered ? 'No run of this queue is like that.' : 'No run is in progress or waits.'}</Empty>
        ) : (
          <ul class="rows">
            {rows.map((row) => (
              <Queued row={row} />
            ))}
          </ul>
        )}
        {pageInfo.hasNextPage ? (
          <p>
            <a href={`${address}?${next.toString()}`}>Next page</a>
          </p>
        ) : null}
      </Live>
      <p class="facts">
        Why a run is not here: it waits for another run of its stack or for a stack that its own depends on,
        its stack is locked or disabled, or its plan waits to be confirmed. The page of the run says which.
      </p>
    </section>
  );
}

function Queued({ row }: { readonly row: SchedulableRun & { readonly reason: string | null } }) {
  const { run, position, reason } = row;
  return (
    <li>
      <Badge word={run.state} />
      <a href={`/stacks/${run.stack_id}/runs/${run.id}`}>{run.title}</a>
      <span class="facts">
        {run.type.toLowerCase()} of <a href={`/stacks/${run.stack_id}`}>{run.stack_id}</a> by{' '}
        {run.requested_by}, <Time at={run.created_at} />
        {position === 0 ? '' : ` · place ${String(position)}`}
        {run.priority > 0 ? ' · prioritised' : ''}
      </span>
      {reason === null ? null : <span class="reason">{reason}</span>}
    </li>
  );
}
