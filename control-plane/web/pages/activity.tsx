// What happened over time: waiting in the queue, busy workers, failures by cause. Span and pool are part of the address.
import { activity, spans, type Activity, type Span } from '../../runs/activity.js';
import type { Rights } from '../../access/rights.js';
import type { Context } from '../../context.js';
import { listPools } from '../../pools/pools.js';
import { Chart, type Series } from '../chart.js';
import { Empty } from '../layout.js';
import { duration } from '../words.js';
import { Choice } from './parts.js';

const names: Readonly<Record<Span, string>> = {
  '1h': 'last hour',
  '24h': 'last 24 hours',
  '7d': 'last 7 days',
  '30d': 'last 30 days',
};

interface ActivityProperties {
  readonly context: Context;
  readonly rights: Rights;
  readonly span: Span;
  /** Of one pool; not given: of all. */
  readonly pool?: string | undefined;
  /** Of the page, without its query. */
  readonly address: string;
}

export async function ActivityPage(properties: ActivityProperties) {
  const { context, rights, pool = '' } = properties;
  const pools = (await listPools(context)).filter(({ space }) => rights.sees(space));
  return (
    <>
      <h1>Activity</h1>
      <form method="get" action="/activity" class="filter">
        <Choice label="Pool" name="pool" options={pools.map(({ id, name }) => [id, name])} chosen={pool} />
        <input type="hidden" name="span" value={properties.span} />
        <button class="quiet">show</button>
      </form>
      <ActivityCharts {...properties} />
    </>
  );
}

/** The charts alone, as the pages of pools have them, too. */
export async function ActivityCharts({ context, rights, span, pool, address }: ActivityProperties) {
  const found = await activity(context, span, { pool, spaces: rights.spaces });
  const query = (name: string) => {
    const ofPool = address === '/activity' && pool !== undefined ? `&pool=${pool}` : '';
    return `${address}?span=${name}${ofPool}`;
  };
  const quiet = found.buckets.every(({ assigned, busy, failures }) => assigned + busy + failures.size === 0);
  return (
    <>
      <nav class="spans" aria-label="Time span">
        {(Object.keys(spans) as Span[]).map((name) => (
          <a href={query(name)} aria-current={name === span ? 'true' : undefined}>
            {names[name]}
          </a>
        ))}
      </nav>
      {quiet ? (
        <Empty>
          No run of yours was at work in the {names[span]}. Look at a longer span, or trigger a run on the
          page of a <a href="/stacks">stack</a>.
        </Empty>
      ) : (
        <div class="charts">
          <Waits found={found} />
          <Busy found={found} />
          <Failures found={found} />
        </div>
      )}
    </>
  );
}

interface Found {
  readonly found: Activity;
}

function timesOf({ step, buckets }: Activity) {
  return buckets.map(({ begins }) => {
    const long = new Date(begins).toISOString().slice(0, 16).replace('T', ' ');
    return { long: `${long} UTC`, short: step >= 4 * 3_600_000 ? long.slice(5, 10) : long.slice(11) };
  });
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const roundTimes = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30].map((value) => value * second),
  ...[1, 2, 5, 10, 20, 30].map((value) => value * minute),
  ...[1, 2, 4, 8, 12, 24, 48, 96, 168].map((value) => value * hour),
];

function Waits({ found }: Found) {
  const { buckets } = found;
  const times = buckets.reduce((sum, { assigned }) => sum + assigned, 0);
  const longest = Math.max(0, ...buckets.map(({ longWait }) => longWait ?? 0));
  const series: Series[] = [
    { name: 'half of the runs, at most', colour: 'c1', values: buckets.map(({ medianWait }) => medianWait) },
    { name: '95 of 100 runs, at most', colour: 'c2', values: buckets.map(({ longWait }) => longWait) },
  ];
  return (
    <Chart
      id="waits"
      title="Wait in the queue"
      summary={`Runs were given to a worker ${times.toLocaleString('en')} times, each plan and each apply counted; at worst, 95 of 100 waited ${duration(longest)} or less.`}
      times={timesOf(found)}
      series={series}
      how="nested"
      format={duration}
      rules={roundTimes}
    />
  );
}

function Busy({ found }: Found) {
  const values = found.buckets.map(({ busy }) => busy);
  const most = Math.max(0, ...values);
  return (
    <Chart
      id="busy"
      title="Busy workers"
      summary={`On average over each bar; ${most.toFixed(1)} at most.`}
      times={timesOf(found)}
      series={[{ name: 'busy workers', colour: 'c1', values }]}
      how="stacked"
      format={(value) => (Number.isInteger(value) ? String(value) : value.toFixed(1))}
    />
  );
}

/** Causes with a colour of their own; the rest are together. */
const mostCauses = 5;

function Failures({ found }: Found) {
  const sums = new Map<string, number>();
  for (const { failures } of found.buckets)
    for (const [cause, count] of failures) sums.set(cause, (sums.get(cause) ?? 0) + count);
  const causes = [...sums].sort(([, a], [, b]) => b - a).map(([cause]) => cause);
  const named = causes.length > mostCauses + 1 ? causes.slice(0, mostCauses) : causes;
  const others = causes.slice(named.length);
  const of = (wanted: readonly string[]) =>
    found.buckets.map(({ failures }) => wanted.reduce((sum, cause) => sum + (failures.get(cause) ?? 0), 0));
  const series: Series[] = named.map((cause, index) => ({
    name: cause,
    colour: `f${String(index + 1)}`,
    values: of([cause]),
  }));
  if (others.length > 0) series.push({ name: 'other causes', colour: 'f6', values: of(others) });
  const total = [...sums.values()].reduce((sum, count) => sum + count, 0);
  const worst = causes[0];
  const summary =
    worst === undefined
      ? 'No run failed.'
      : `${total.toLocaleString('en')} runs failed, ${(sums.get(worst) ?? 0).toLocaleString('en')} of them with ${worst}.`;
  if (series.length === 0)
    return (
      <section>
        <h2>Failures by cause</h2>
        <Empty>{summary}</Empty>
      </section>
    );
  return (
    <Chart
      id="failures"
      title="Failures by cause"
      summary={summary}
      times={timesOf(found)}
      series={series}
      how="stacked"
      format={(value) => value.toLocaleString('en')}
    />
  );
}
