// The queue of a pool: runs in progress first, then those that wait, each with why; then those that are held back. Filter
// and pages are part of the address.
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { searchHeldRuns, searchSchedulableRuns } from '../../queue/schedulable.js';
import { placeText } from '../../queue/place-text.js';
import { whyTheyWait } from '../../queue/waiting.js';
import { runTypes } from '../../../protocol/runs.js';
import type { PoolRow, RunRow } from '../../store/schema.js';
import type { Predicate } from '../../store/search.js';
import { Badge, Empty, Live, Time } from '../layout.js';
import { Choice, Filter, inSmall, Pager } from './parts.js';
import { tabAddress } from './pool.js';

export interface QueueFilter {
  readonly text: string;
  readonly type: string;
  /** The end of the page before, of the queue and of what is held. */
  readonly after: string;
  readonly held: string;
}

interface PoolQueueProperties {
  readonly context: Context;
  readonly pool: PoolRow;
  readonly rights: Rights;
  readonly filter: QueueFilter;
}

/** Of those that are held: they cannot start now, so fewer are shown. */
const heldPage = 20;

export async function PoolQueue({ context, pool, rights, filter }: PoolQueueProperties) {
  const { text, type, after } = filter;
  const { spaces } = rights;
  const predicates: Predicate[] = type === '' ? [] : [{ field: 'type', constraint: { enumEquals: [type] } }];
  const wanted = { fullTextSearch: text, predicates };
  const [queue, held] = await Promise.all([
    searchSchedulableRuns(context, pool.id, { ...wanted, after }, spaces),
    searchHeldRuns(context, pool.id, { ...wanted, after: filter.held, first: heldPage }, spaces),
  ]);
  const runs = [...queue.edges.map(({ node }) => node.run), ...held.edges.map(({ node }) => node)];
  const reasons = await whyTheyWait(context, runs, spaces);
  const address = tabAddress(pool, 'queued');
  const filtered = text !== '' || type !== '';
  const values = { text, type };
  return (
    <section aria-labelledby="queue-title">
      <h2 id="queue-title">Queued</h2>
      <Filter address={address} filtered={filtered}>
        <label>
          Run, stack or person <input name="text" type="search" value={text} />
        </label>
        <Choice label="Type" name="type" options={runTypes.map(inSmall)} chosen={type} />
      </Filter>
      <Live id="queue">
        {queue.edges.length === 0 ? (
          <Empty>{filtered ? 'No run of this queue is like that.' : 'No run is in progress or waits.'}</Empty>
        ) : (
          <ul class="rows">
            {queue.edges.map(({ node: { run, position } }) => (
              <Queued run={run} position={position} reason={reasons.get(run.id)} />
            ))}
          </ul>
        )}
        <Pager address={address} values={values} pageInfo={queue.pageInfo} />
      </Live>
      <h2 id="held-title">Held back</h2>
      <p class="facts">
        Not in the queue yet: behind another run of their stack or a stack that theirs depends on, or their
        stack is locked or disabled. Runs whose plan waits to be confirmed are on the pages of their stacks.
      </p>
      <Live id="held">
        {held.edges.length === 0 ? (
          <Empty>
            {filtered ? 'No run that is held back is like that.' : 'No run of this pool is held back.'}
          </Empty>
        ) : (
          <ul class="rows" aria-labelledby="held-title">
            {held.edges.map(({ node }) => (
              <Queued run={node} position={0} reason={reasons.get(node.id)} />
            ))}
          </ul>
        )}
        <Pager address={address} values={values} pageInfo={held.pageInfo} cursor="held" />
      </Live>
    </section>
  );
}

interface QueuedProperties {
  readonly run: RunRow;
  /** 0: not in the queue. */
  readonly position: number;
  readonly reason: string | undefined;
}

function Queued({ run, position, reason }: QueuedProperties) {
  return (
    <li>
      <Badge word={run.state} />
      <a href={`/stacks/${run.stack_id}/runs/${run.id}`}>{run.title}</a>
      <span class="facts">
        {run.type.toLowerCase()} of <a href={`/stacks/${run.stack_id}`}>{run.stack_id}</a> by{' '}
        {run.requested_by}, <Time at={run.created_at} />
        {position === 0 ? '' : ` · place ${placeText(position)}`}
        {run.priority > 0 ? ' · prioritised' : ''}
      </span>
      {reason === undefined ? null : <span class="reason">{reason}</span>}
    </li>
  );
}
