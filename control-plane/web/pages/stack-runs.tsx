// The runs of a stack, newest first. Filter and page are part of the address.
import { runTypeSchema, runTypes, type RunState } from '../../../protocol/runs.js';
import type { Context } from '../../context.js';
import { listRuns } from '../../runs/runs.js';
import { transitions } from '../../runs/transitions.js';
import type { RunRow, StackRow } from '../../store/schema.js';
import { Badge, Empty, Live, Time } from '../layout.js';
import { Choice, Filter, inSmall, Pager } from './parts.js';
import { stackAddress } from './stack.js';

export interface RunsFilter {
  readonly state: string;
  readonly type: string;
  /** The last run of the page before. */
  readonly before: string;
}

interface StackRunsProperties {
  readonly context: Context;
  readonly stack: StackRow;
  readonly filter: RunsFilter;
}

const states = Object.keys(transitions) as RunState[];
const size = 30;

export async function StackRuns({ context, stack, filter }: StackRunsProperties) {
  // What no run can be is not looked for: an address that somebody has typed shows all.
  const state = states.find((name) => name === filter.state);
  const type = runTypeSchema.safeParse(filter.type).data;
  const { before } = filter;
  const found = await listRuns(context, {
    stack: stack.id,
    ...(state === undefined ? {} : { states: [state] }),
    ...(type === undefined ? {} : { types: [type] }),
    before: before === '' ? null : before,
    limit: size + 1,
  });
  const runs = found.slice(0, size);
  const pageInfo = {
    endCursor: runs.at(-1)?.id ?? null,
    hasNextPage: found.length > size,
    hasPreviousPage: before !== '',
  };
  const filtered = state !== undefined || type !== undefined;
  const address = stackAddress(stack, 'runs');
  return (
    <section aria-labelledby="runs-title">
      <h2 id="runs-title">Runs</h2>
      <Filter address={address} filtered={filtered}>
        <Choice label="State" name="state" options={states.map(inSmall)} chosen={state ?? ''} />
        <Choice label="Type" name="type" options={runTypes.map(inSmall)} chosen={type ?? ''} />
      </Filter>
      <Live id="runs">
        {runs.length === 0 ? (
          <Empty>
            {filtered || before !== '' ? (
              'No run of this stack is like that. Show all, or look for less.'
            ) : (
              <>
                It has not run yet. Run it with <code>poolwright run trigger {stack.id}</code>
                {stack.repository === null ? <code> --from FOLDER</code> : null}.
              </>
            )}
          </Empty>
        ) : (
          <ul class="rows">
            {runs.map((run) => (
              <RunLine run={run} />
            ))}
          </ul>
        )}
        <Pager
          address={address}
          values={{ state: state ?? '', type: type ?? '' }}
          pageInfo={pageInfo}
          older="Older runs"
          cursor="before"
        />
      </Live>
    </section>
  );
}

function RunLine({ run }: { readonly run: RunRow }) {
  return (
    <li>
      <Badge word={run.state} />
      <a href={`/stacks/${run.stack_id}/runs/${run.id}`}>{run.title}</a>
      <span class="facts">
        {run.type.toLowerCase()} by {run.requested_by}, <Time at={run.created_at} />
        {run.failure_code === null ? '' : ` · ${run.failure_code}`}
      </span>
    </li>
  );
}
