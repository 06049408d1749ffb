// One run: where it stands and why it waits, what it would change, what may be done with it, its phases and its log.
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { placeText } from '../../queue/place-text.js';
import { endOf, queuePosition, whyItWaits } from '../../queue/waiting.js';
import { isEnd, transitions } from '../../runs/transitions.js';
import { runVisits } from '../../runs/visits.js';
import type { RunRow, StackRow } from '../../store/schema.js';
import { Badge, Live, Time } from '../layout.js';
import { readOnly } from './parts.js';
import { RunActions } from './run-actions.js';
import { RunLog } from './run-log.js';
import { RunPhases } from './run-phases.js';

interface RunPageProperties {
  readonly context: Context;
  readonly run: RunRow;
  readonly stack: StackRow;
  readonly rights: Rights;
}

export async function RunPage({ context, run, stack, rights }: RunPageProperties) {
  const [visits, reason, position] = await Promise.all([
    runVisits(context, run.id),
    whyItWaits(context, run, rights.spaces),
    queuePosition(context, run),
  ]);
  const base = `/stacks/${stack.id}/runs/${run.id}`;
  const refused = readOnly(rights);
  return (
    <>
      <Live id="state">
        <h1>
          {run.title} <Badge word={run.state} />
        </h1>
        <p class="facts">
          {run.type.toLowerCase()} of <a href={`/stacks/${stack.id}`}>{stack.name}</a> by {run.requested_by},{' '}
          <Time at={run.created_at} />
          {run.attempt > 1 ? ` · attempt ${String(run.attempt)}` : ''}
          {run.commit_sha === null ? null : (
            <>
              {' '}
              · commit <code>{run.commit_sha.slice(0, 12)}</code>
            </>
          )}{' '}
          · <code>{run.id}</code>
        </p>
        {run.origin === null ? null : (
          <p class="facts">
            Made from run <a href={`/stacks/${stack.id}/runs/${run.origin}`}>{run.origin}</a>
          </p>
        )}
        {run.task === null ? null : (
          <pre class="command">
            <code>{run.task}</code>
          </pre>
        )}
        <div role="status" class={`now ${reason === null ? '' : 'waiting'}`}>
          {reason === null && run.failure_code === null ? <p>{transitions[run.state].means}</p> : null}
          {reason === null ? null : (
            <p class="why">
              <strong>{sentence(reason)}</strong>
              {position === null ? '' : ` Place ${placeText(position)} in the queue.`}
            </p>
          )}
          {run.deadline_at === null || reason === null || endOf(run) === '' ? null : (
            <p class="facts">
              {sentence(endOf(run), '')} <Time at={run.deadline_at} /> if nothing changes.
            </p>
          )}
          {run.stop_requested_at === null || isEnd(run.state) ? null : (
            <p>
              <strong>It was told to stop</strong> <Time at={run.stop_requested_at} />
              {run.stop_note === null ? '' : `: ${run.stop_note}`}
            </p>
          )}
        </div>
        {run.failure_code === null ? null : (
          <div class="failure" role="group" aria-label="Why it failed">
            <strong>{run.failure_code}</strong>
            <p>{run.failure_message}</p>
          </div>
        )}
        {run.changes === null ? null : <Plan changes={run.changes} />}
        <RunActions run={run} base={base} refused={refused} />
      </Live>
      <div class="columns">
        <RunPhases visits={visits} run={run} />
        <RunLog base={base} />
      </div>
    </>
  );
}

/** `No worker is idle.` of `no worker is idle`. */
function sentence(text: string, end = '.'): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${end}`;
}

function Plan({ changes }: { readonly changes: NonNullable<RunRow['changes']> }) {
  if (!changes.any) return <p class="plan">The plan changes nothing.</p>;
  const parts = [
    { name: 'to add', sign: '+', value: changes.add, kind: 'add' },
    { name: 'to change', sign: '~', value: changes.change, kind: 'change' },
    { name: 'to destroy', sign: '−', value: changes.destroy, kind: 'destroy' },
  ];
  if (parts.every(({ value }) => value === null))
    return <p class="plan">The plan has changes. The tool does not say how many; its log shows them.</p>;
  return (
    <dl class="plan" aria-label="What the plan changes">
      {parts.map(({ name, sign, value, kind }) => (
        <div class={value === 0 ? 'zero' : kind}>
          <dd>
            {value === null || value === 0 ? '' : sign}
            {value ?? '?'}
          </dd>
          <dt>{name}</dt>
        </div>
      ))}
    </dl>
  );
}
