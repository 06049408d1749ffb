// All stacks: what each did last, whose pool it uses, what keeps it from running. Filter and page are part of the address.
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { listPools } from '../../pools/pools.js';
import { newestRuns } from '../../runs/runs.js';
import { searchStacks } from '../../stacks/search.js';
import type { RunRow, StackRow } from '../../store/schema.js';
import type { Predicate } from '../../store/search.js';
import { Badge, Empty, Live, Time } from '../layout.js';
import { Choice, Filter, Pager } from './parts.js';
import { Cell, Row, Table } from './table.js';

export interface StacksFilter {
  readonly text: string;
  readonly pool: string;
  /** The end of the page before. */
  readonly after: string;
}

interface StacksPageProperties {
  readonly context: Context;
  readonly rights: Rights;
  readonly filter: StacksFilter;
}

export async function StacksPage({ context, rights, filter }: StacksPageProperties) {
  const { text, pool, after } = filter;
  const predicates: Predicate[] =
    pool === '' ? [] : [{ field: 'workerPool', constraint: { stringMatches: [pool] } }];
  const order = { field: 'name', direction: 'ASC' } as const;
  const { edges, pageInfo } = await searchStacks(
    context,
    { fullTextSearch: text, predicates, orderBy: order, first: 50, after },
    rights.spaces,
  );
  const pools = (await listPools(context)).filter(({ space }) => rights.sees(space));
  const newest = await newestRuns(
    context,
    edges.map(({ node }) => node.id),
  );
  const names = new Map(pools.map(({ id, name }) => [id, name]));
  const filtered = text !== '' || pool !== '';
  return (
    <>
      <h1>Stacks</h1>
      <Filter address="/stacks" filtered={filtered}>
        <label>
          Name, label or repository <input name="text" type="search" value={text} />
        </label>
        <Choice label="Pool" name="pool" options={pools.map(({ id, name }) => [id, name])} chosen={pool} />
      </Filter>
      <Live id="stacks">
        {edges.length === 0 ? (
          <Empty>
            {filtered ? (
              'No stack is like that. Show all, or look for less.'
            ) : (
              <>
                There is no stack yet. Make one with{' '}
                <code>poolwright stack create --file stack.json --pool POOL</code>.
              </>
            )}
          </Empty>
        ) : (
          <div class="scroll">
            <Table columns={['Stack', 'Last run', 'When', 'Pool']}>
              {edges.map(({ node }) => (
                <Line stack={node} last={newest.get(node.id)} pool={names.get(node.pool_id ?? '')} />
              ))}
            </Table>
          </div>
        )}
        <Pager address="/stacks" values={{ text, pool }} pageInfo={pageInfo} />
      </Live>
    </>
  );
}

interface LineProperties {
  readonly stack: StackRow;
  readonly last: RunRow | undefined;
  readonly pool: string | undefined;
}

function Line({ stack, last, pool }: LineProperties) {
  return (
    <Row>
      <Cell name="Stack">
        <a class="strong" href={`/stacks/${stack.id}`}>
          {stack.name}
        </a>
        {stack.disabled ? <span class="note bad">disabled</span> : null}
        {stack.locked_by === null ? null : <span class="note bad">locked by {stack.locked_by}</span>}
        {stack.description === '' ? null : <span class="facts">{stack.description}</span>}
      </Cell>
      <Cell name="Last run">
        {last === undefined ? (
          <span class="facts">never run</span>
        ) : (
          <>
            <Badge word={last.state} />
            <a class="below" href={`/stacks/${stack.id}/runs/${last.id}`}>
              {last.title}
            </a>
          </>
        )}
      </Cell>
      <Cell name="When">
        {last === undefined ? <span class="facts">–</span> : <Time at={last.created_at} />}
      </Cell>
      <Cell name="Pool">
        {stack.pool_id === null ? (
          <a href="/pools/public">public</a>
        ) : pool === undefined ? (
          <span class="facts">one that you do not see</span>
        ) : (
          <a href={`/pools/${stack.pool_id}`}>{pool}</a>
        )}
      </Cell>
    </Row>
  );
}
