// Alarms: what the control plane has noticed and leaves to a person, and what it has noticed before.
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { listAlarms, type AlarmOfPool } from '../../pools/alarms.js';
import { Empty, Live, Time } from '../layout.js';
import { duration } from '../words.js';

interface AlarmsPageProperties {
  readonly context: Context;
  readonly rights: Rights;
}

const meanings = {
  MASS_LOSS: {
    title: 'Most workers of a pool are out of contact',
    advice:
      'Nothing is ended for now. Look at the network between workers and broker, at the broker, and at the certificates of the pool. Workers that come back go on with their runs.',
  },
} as const;

export async function AlarmsPage({ context, rights }: AlarmsPageProperties) {
  const alarms = (await listAlarms(context)).filter(({ space }) => rights.sees(space));
  const open = alarms.filter(({ cleared_at }) => cleared_at === null);
  const over = alarms.filter(({ cleared_at }) => cleared_at !== null);
  return (
    <>
      <h1>Alarms</h1>
      <p class="facts">
        When more than half of a pool would be lost at once, its runs are not failed: an alarm is raised here
        and in the metric <code>poolwright_alarms_open</code>.
      </p>
      <Live id="alarms">
        {open.length === 0 ? (
          <Empty>
            <strong>Nothing needs you.</strong> No alarm is open.
          </Empty>
        ) : (
          open.map((alarm) => <OpenAlarm alarm={alarm} />)
        )}
        {over.length === 0 ? null : (
          <>
            <h2>Over</h2>
            <ul class="plain past">
              {over.map((alarm) => (
                <Past alarm={alarm} />
              ))}
            </ul>
          </>
        )}
      </Live>
    </>
  );
}

interface OpenAlarmProperties {
  readonly alarm: AlarmOfPool;
  /** On the page of the pool itself, which needs no way to it. */
  readonly here?: boolean;
}

export function OpenAlarm({ alarm, here = false }: OpenAlarmProperties) {
  const { title, advice } = meanings[alarm.kind];
  return (
    <section class="alarm" aria-label={`${title}: ${alarm.pool_name}`}>
      <h2>{title}</h2>
      <p>{alarm.message}</p>
      <p>{advice}</p>
      <p class="facts">
        {here ? null : (
          <>
            Pool <a href={`/pools/${alarm.pool_id}`}>{alarm.pool_name}</a> ·{' '}
          </>
        )}
        raised <Time at={alarm.raised_at} />
      </p>
    </section>
  );
}

function Past({ alarm }: { readonly alarm: AlarmOfPool }) {
  const { raised_at, cleared_at, message, pool_id, pool_name } = alarm;
  return (
    <li>
      <a href={`/pools/${pool_id}`}>{pool_name}</a> <span>{message}</span>{' '}
      <span class="facts">
        <Time at={raised_at} />, for {duration((cleared_at ?? raised_at) - raised_at)}
      </span>
    </li>
  );
}
