// Stacks, and one stack with its runs.
import type { Child } from 'hono/jsx';
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { findPool } from '../../pools/pools.js';
import { listRuns, newestRuns } from '../../runs/runs.js';
import { listStacks } from '../../stacks/stacks.js';
import { listVariables } from '../../stacks/variables.js';
import type { RunRow, StackRow } from '../../store/schema.js';
import { Badge, Empty, Live, Time } from '../layout.js';

interface StacksPageProperties {
  readonly context: Context;
  readonly rights: Rights;
}

export async function StacksPage({ context, rights }: StacksPageProperties) {
  const stacks = (await listStacks(context)).filter(({ space }) => rights.sees(space));
  const newest = await newestRuns(
    context,
    stacks.map(({ id }) => id),
  );
  const rows = stacks.map((stack) => ({ stack, last: newest.get(stack.id) }));
  return (
    <>
      <h1>Stacks</h1>
      <Live id="stacks">
        {rows.length === 0 ? (
          <Empty>
            There is no stack yet. Make one with{' '}
            <code>poolwright stack create --file stack.json --pool POOL</code>.
          </Empty>
        ) : (
          <ul class="cards">
            {rows.map(({ stack, last }) => (
              <li class="card">
                <h2>
                  <a href={`/stacks/${stack.id}`}>{stack.name}</a>
                </h2>
                {stack.description === '' ? null : <p>{stack.description}</p>}
                <p class="facts">
                  {last === undefined ? 'never run' : <Badge word={last.state} />}{' '}
                  {last === undefined ? null : <Time at={last.created_at} />}
                </p>
              </li>
            ))}
          </ul>
        )}
      </Live>
    </>
  );
}

interface StackPageProperties {
  readonly context: Context;
  readonly stack: StackRow;
  readonly mayChange: boolean;
}

export async function StackPage({ context, stack, mayChange }: StackPageProperties) {
  const [runs, variables, pool] = await Promise.all([
    listRuns(context, { stack: stack.id }),
    listVariables(context, stack.id),
    stack.pool_id === null ? undefined : findPool(context, stack.pool_id),
  ]);
  return (
    <>
      <div class="heading">
        <h1>{stack.name}</h1>
        {mayChange && stack.repository !== null ? (
          <form method="post" action={`/stacks/${stack.id}/trigger`}>
            <button>Trigger a run</button>
          </form>
        ) : null}
      </div>
      {stack.description === '' ? null : <p>{stack.description}</p>}
      <dl class="metadata">
        <Fact name="tool">{stack.tool}</Fact>
        <Fact name="pool">
          {pool === undefined ? (
            'none: its runs go to the public pool'
          ) : (
            <a href={`/pools/${pool.id}`}>{pool.name}</a>
          )}
        </Fact>
        <Fact name="source">
          {stack.repository === null ? 'uploaded workspaces' : `${stack.repository}, branch ${stack.branch}`}
        </Fact>
        <Fact name="applies">{stack.autodeploy ? 'by itself' : 'when confirmed'}</Fact>
        {stack.runner_image === null ? null : <Fact name="image">{stack.runner_image}</Fact>}
      </dl>
      <section aria-labelledby="runs-title">
        <h2 id="runs-title">Runs</h2>
        <Live id="runs">
          {runs.length === 0 ? (
            <Empty>
              It has not run yet. Run it with <code>poolwright run trigger {stack.id}</code>
              {stack.repository === null ? <code> --from FOLDER</code> : null}.
            </Empty>
          ) : (
            <ul class="rows">
              {runs.map((run) => (
                <RunLine run={run} />
              ))}
            </ul>
          )}
        </Live>
      </section>
      <section aria-labelledby="environment-title">
        <h2 id="environment-title">Environment</h2>
        {variables.length === 0 ? (
          <Empty>
            No variables. Set one with <code>poolwright stack config set</code>.
          </Empty>
        ) : (
          <dl class="metadata">
            {variables.map(({ name, kind, value }) => (
              <Fact name={name}>{kind === 'plain' ? value : 'sealed for the pool, not readable here'}</Fact>
            ))}
          </dl>
        )}
      </section>
    </>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: Child }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function RunLine({ run }: { readonly run: RunRow }) {
  return (
    <li>
      <Badge word={run.state} />
      <a href={`/stacks/${run.stack_id}/runs/${run.id}`}>{run.title}</a>
      <span class="facts">
        {run.type.toLowerCase()} by {run.requested_by}, <Time at={run.created_at} />
      </span>
    </li>
  );
}
