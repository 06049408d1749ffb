// The phases of a run: when each began, how long it took, who or what was behind it.
import type { Visit } from '../../runs/visits.js';
import { isEnd } from '../../runs/transitions.js';
import { publicPoolId } from '../../store/pool-tables.js';
import type { RunRow } from '../../store/schema.js';
import { Badge, Elapsed, Live, Time } from '../layout.js';
import { duration } from '../words.js';

export function RunPhases({ visits, run }: { readonly visits: readonly Visit[]; readonly run: RunRow }) {
  return (
    <section aria-labelledby="phases-title" class="history">
      <h2 id="phases-title">Phases</h2>
      <Live id="phases">
        <ol class="timeline">
          {visits.map(({ transition }, index) => {
            const next = visits[index + 1]?.transition;
            const ended = isEnd(transition.state);
            return (
              <li class={next === undefined && !ended ? 'current' : ''}>
                <div class="phase">
                  <Badge word={transition.state} />
                  {ended ? null : next === undefined ? (
                    <Elapsed since={transition.at} />
                  ) : (
                    <span class="took">{duration(next.at - transition.at)}</span>
                  )}
                </div>
                <span class="facts">
                  <Time at={transition.at} />
                  {transition.username === null ? null : ` by ${transition.username}`}
                  {transition.worker_id === null ? null : (
                    <>
                      {' '}
                      on <WorkerName pool={run.pool_id} worker={transition.worker_id} />
                    </>
                  )}
                </span>
                {transition.note === null ? null : <span class="reason">{transition.note}</span>}
              </li>
            );
          })}
        </ol>
      </Live>
    </section>
  );
}

/** Workers of the public pool are nobody's to see, so they have no page. */
function WorkerName({ pool, worker }: { readonly pool: string; readonly worker: string }) {
  const name = `worker …${worker.slice(-6)}`;
  if (pool === publicPoolId) return <span title={worker}>{name}</span>;
  return (
    <a href={`/pools/${pool}#${worker}`} title={worker}>
      {name}
    </a>
  );
}
