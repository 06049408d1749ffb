// One run: where it stands, what it went through, what may be done with it, and its log as it is written.
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { queuePosition, waitReason } from '../../queue/waiting.js';
import { isEnd, transitions } from '../../runs/transitions.js';
import { runVisits } from '../../runs/visits.js';
import type { RunRow, StackRow } from '../../store/schema.js';
import { Badge, Live, Time } from '../layout.js';

export type RunAction = 'confirm' | 'discard' | 'cancel' | 'stop';

/** What a person may do with a run in its state. */
export function actionsOf(run: RunRow): RunAction[] {
  if (isEnd(run.state)) return [];
  if (run.state === 'UNCONFIRMED') return ['confirm', 'discard'];
  if (run.begun) return run.stop_requested_at === null ? ['stop'] : [];
  return run.stage === 'APPLY' ? ['discard'] : ['cancel'];
}

interface RunPageProperties {
  readonly context: Context;
  readonly run: RunRow;
  readonly stack: StackRow;
  readonly rights: Rights;
  readonly mayChange: boolean;
}

export async function RunPage({ context, run, stack, rights, mayChange }: RunPageProperties) {
  const [visits, reason, position] = await Promise.all([
    runVisits(context, run.id),
    waitReason(context, run, rights.spaces),
    queuePosition(context, run),
  ]);
  const base = `/stacks/${stack.id}/runs/${run.id}`;
  return (
    <>
      <Live id="state">
        <div class="heading">
          <h1>
            {run.title} <Badge word={run.state} />
          </h1>
          {mayChange ? (
            <div class="actions">
              {actionsOf(run).map((action) => (
                <form method="post" action={`${base}/${action}`}>
                  <button class={action === 'confirm' ? '' : 'quiet'}>{action}</button>
                </form>
              ))}
            </div>
          ) : null}
        </div>
        <p class="facts">
          {run.type.toLowerCase()} by {run.requested_by}, <Time at={run.created_at} /> · attempt {run.attempt}{' '}
          · <code>{run.id}</code>
          {run.commit_sha === null ? null : ` · commit ${run.commit_sha.slice(0, 12)}`}
        </p>
        <p role="status" class="now">
          {transitions[run.state].means}
          {position === null ? '' : ` Place ${String(position)} in the queue.`}
          {reason === null ? '' : ` It ${reason.startsWith('waits') ? reason : `waits: ${reason}`}.`}
          {run.stop_requested_at === null || isEnd(run.state) ? '' : ' It was told to stop.'}
        </p>
        {run.failure_code === null ? null : (
          <div class="failure">
            <strong>{run.failure_code}</strong> <span>{run.failure_message}</span>
          </div>
        )}
        {run.changes === null ? null : (
          <dl class="figures">
            <Change name="to add" value={run.changes.add} />
            <Change name="to change" value={run.changes.change} />
            <Change name="to destroy" value={run.changes.destroy} />
          </dl>
        )}
      </Live>
      <div class="columns">
        <section aria-labelledby="history-title" class="history">
          <h2 id="history-title">History</h2>
          <Live id="history">
            <ol class="timeline">
              {visits.map(({ transition }) => (
                <li>
                  <Badge word={transition.state} /> <Time at={transition.at} />
                  {transition.username === null ? null : <span class="facts">by {transition.username}</span>}
                  {transition.worker_id === null ? null : (
                    <span class="facts">
                      worker <code>…{transition.worker_id.slice(-8)}</code>
                    </span>
                  )}
                  {transition.note === null ? null : <span class="reason">{transition.note}</span>}
                </li>
              ))}
            </ol>
          </Live>
        </section>
        <section aria-labelledby="log-title" class="log">
          <div class="heading">
            <h2 id="log-title">Log</h2>
            <a href={`${base}/log.txt`}>as text</a>
          </div>
          <div id="log" data-source={`${base}/log`} role="log" aria-labelledby="log-title" tabindex={0}></div>
          <noscript>
            The log follows the run when scripts are allowed; <a href={`${base}/log.txt`}>as text</a> it needs
            none.
          </noscript>
        </section>
      </div>
    </>
  );
}

function Change({ name, value }: { readonly name: string; readonly value: number | null }) {
  return (
    <div class={value === 0 ? 'zero' : ''}>
      <dt>{name}</dt>
      <dd>{value ?? '?'}</dd>
    </div>
  );
}
