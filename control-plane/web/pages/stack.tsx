// One stack: what it is, what keeps it from running, and its tabs. Each tab is an address of its own.
import type { Child } from 'hono/jsx';
import type { Rights } from '../../access/rights.js';
import { visibleStack } from '../../access/things.js';
import type { Context } from '../../context.js';
import { findPool } from '../../pools/pools.js';
import { dependenciesOf } from '../../stacks/dependencies.js';
import type { StackRow } from '../../store/schema.js';
import { Live, Time } from '../layout.js';
import { Off, readOnly } from './parts.js';

export type StackTab = 'runs' | 'environment' | 'webhooks' | 'schedules';

const labels = {
  runs: 'Runs',
  environment: 'Environment',
  webhooks: 'Webhooks',
  schedules: 'Schedules',
} as const;

export function stackAddress(stack: Pick<StackRow, 'id'>, tab: StackTab): string {
  return tab === 'runs' ? `/stacks/${stack.id}` : `/stacks/${stack.id}/${tab}`;
}

interface StackFrameProperties {
  readonly context: Context;
  readonly stack: StackRow;
  readonly tab: StackTab;
  readonly rights: Rights;
  readonly children: Child;
}

export async function StackFrame({ context, stack, tab, rights, children }: StackFrameProperties) {
  const [pool, { up, down }] = await Promise.all([
    stack.pool_id === null ? undefined : findPool(context, stack.pool_id),
    dependenciesOf(context, stack.id),
  ]);
  const seen = (ids: readonly string[]) =>
    Promise.all(ids.map(async (id) => ({ id, there: await visibleStack(context, rights, id) })));
  const [needs, neededBy] = await Promise.all([
    seen(up.map(({ depends_on }) => depends_on)),
    seen(down.map(({ stack_id }) => stack_id)),
  ]);
  return (
    <>
      <Live id="stack-head">
        <div class="heading">
          <h1>{stack.name}</h1>
          <Trigger stack={stack} refused={readOnly(rights)} who={rights.identity.name} />
        </div>
        {stack.description === '' ? null : <p class="lead">{stack.description}</p>}
        {stack.disabled ? (
          <p class="now waiting">
            <strong>It is disabled:</strong> no run of it starts.{' '}
            <code>poolwright stack enable {stack.id}</code> ends that.
          </p>
        ) : null}
        {stack.locked_by === null ? null : (
          <p class="now waiting">
            <strong>It is locked by {stack.locked_by}</strong>
            {stack.locked_at === null ? null : (
              <>
                {' '}
                <Time at={stack.locked_at} />
              </>
            )}
            {stack.lock_note === null ? '.' : `: ${stack.lock_note}.`} Only they start runs that change
            something.
          </p>
        )}
        <dl class="metadata panel">
          <Fact name="tool">{stack.tool}</Fact>
          <Fact name="pool">
            {pool === undefined ? (
              <>
                none: its runs go to the <a href="/pools/public">public pool</a>
              </>
            ) : rights.sees(pool.space) ? (
              <a href={`/pools/${pool.id}`}>{pool.name}</a>
            ) : (
              pool.name
            )}
          </Fact>
          <Fact name="source">
            {stack.repository === null
              ? 'uploaded workspaces'
              : `${stack.repository}, branch ${stack.branch}`}
          </Fact>
          <Fact name="applies">{stack.autodeploy ? 'by itself' : 'when confirmed'}</Fact>
          {stack.runner_image === null ? null : <Fact name="image">{stack.runner_image}</Fact>}
          {needs.length === 0 ? null : (
            <Fact name="depends on">
              <Others stacks={needs} />
            </Fact>
          )}
          {neededBy.length === 0 ? null : (
            <Fact name="needed by">
              <Others stacks={neededBy} />
            </Fact>
          )}
        </dl>
      </Live>
      <nav class="tabs" aria-label="Of this stack">
        {(Object.keys(labels) as StackTab[]).map((name) => (
          <a href={stackAddress(stack, name)} aria-current={name === tab ? 'page' : undefined}>
            {labels[name]}
          </a>
        ))}
      </nav>
      {children}
    </>
  );
}

interface TriggerProperties {
  readonly stack: StackRow;
  readonly refused: string | null;
  readonly who: string;
}

function Trigger({ stack, refused, who }: TriggerProperties) {
  const off = refused ?? whyNoTrigger(stack, who);
  if (off !== null)
    return (
      <Off id="trigger" why={off}>
        trigger a run
      </Off>
    );
  return (
    <form method="post" action={`/stacks/${stack.id}/trigger`}>
      <button>trigger a run</button>
    </form>
  );
}

/** As a sentence without a full stop; null when a tracked run may be triggered here. */
export function whyNoTrigger(stack: StackRow, who: string): string | null {
  if (stack.disabled) return 'the stack is disabled';
  if (stack.locked_by !== null && stack.locked_by !== who) return `the stack is locked by ${stack.locked_by}`;
  if (stack.repository === null && stack.tool !== 'commands')
    return `its workspaces are uploaded; use poolwright run trigger ${stack.id} --from FOLDER`;
  return null;
}

interface OthersProperties {
  readonly stacks: readonly { readonly id: string; readonly there: StackRow | undefined }[];
}

/** Those that one sees by name; of others only that there are some. */
function Others({ stacks }: OthersProperties) {
  const named = stacks.flatMap(({ there }) => there ?? []);
  const hidden = stacks.length - named.length;
  return (
    <>
      {named.map(({ id, name }, index) => (
        <>
          {index === 0 ? '' : ', '}
          <a href={`/stacks/${id}`}>{name}</a>
        </>
      ))}
      {hidden === 0 ? '' : `${named.length === 0 ? '' : ' and '}${String(hidden)} that you do not see`}
    </>
  );
}

export function Fact({ name, children }: { readonly name: string; readonly children: Child }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
