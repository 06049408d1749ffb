// Bars over time as SVG that the server writes: no script, the colours of the page, readable at any width. The same
// figures stand below as a table, for whoever does not look at pictures.
import type { Child } from 'hono/jsx';

export interface Series {
  readonly name: string;
  /** Class of its bars, see style.css. */
  readonly colour: string;
  /** One for each bar; null where there is nothing to tell. */
  readonly values: readonly (number | null)[];
}

interface ChartProperties {
  /** Of the page; ids are made from it. */
  readonly id: string;
  readonly title: string;
  /** What one sees, in a sentence. */
  readonly summary: Child;
  /** Of the bars: when each begins, short for the axis and whole for the table. */
  readonly times: readonly { readonly short: string; readonly long: string }[];
  readonly series: readonly Series[];
  /** `stacked`: on top of each other; `nested`: each from the ground, the first one in front. */
  readonly how: 'stacked' | 'nested';
  readonly format: (value: number) => string;
  /** Values at which the axis may be ruled, ascending; default: round numbers. */
  readonly rules?: readonly number[];
}

/** Pixels. */
const height = 180;
const top = 8;
const labels = 5;

export function Chart(properties: ChartProperties) {
  const { id, title, summary, times, series, how, format, rules } = properties;
  const totals = times.map((_, index) => heightsOf(series, how, index).at(-1) ?? 0);
  const most = Math.max(...totals, 0);
  const ticks = ticksOf(most, rules);
  const full = Math.max(ticks.at(-1) ?? 0, most) || 1;
  const y = (value: number) => height - (value / full) * (height - top);
  const every = Math.ceil(times.length / labels);
  return (
    <figure class="chart" aria-labelledby={`${id}-title`}>
      <figcaption>
        <h2 id={`${id}-title`}>{title}</h2>
        <p class="facts">{summary}</p>
        {series.length > 1 ? (
          <ul class="legend">
            {series.map(({ name, colour }) => (
              <li>
                <span class={`swatch ${colour}`} aria-hidden="true"></span>
                {name}
              </li>
            ))}
          </ul>
        ) : null}
      </figcaption>
      <div class="plot">
        <svg class="scale" width="52" height={height + 22} aria-hidden="true">
          {ticks.map((tick) => (
            <text x="46" y={y(tick) + 4} text-anchor="end">
              {format(tick)}
            </text>
          ))}
        </svg>
        <svg height={height + 22} role="img" aria-label={`${title}; the table below has the figures`}>
          {ticks.map((tick) => (
            <line class="rule" x1="0" x2="100%" y1={y(tick)} y2={y(tick)} />
          ))}
          {times.map(({ long }, index) => (
            <Bars
              series={series}
              how={how}
              index={index}
              count={times.length}
              y={y}
              title={`${long}: ${told(series, index, format)}`}
            />
          ))}
          <line class="ground" x1="0" x2="100%" y1={height} y2={height} />
          {times.map(({ short }, index) =>
            index % every === 0 ? (
              <text
                x={percent(index, times.length)}
                y={height + 16}
                // The last one must not reach over the edge of a phone.
                text-anchor={index / times.length > 0.75 ? 'middle' : undefined}
              >
                {short}
              </text>
            ) : null,
          )}
        </svg>
      </div>
      <details>
        <summary>As a table</summary>
        <div class="scroll" tabindex={0} role="group" aria-label={`${title}, table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                {series.map(({ name }) => (
                  <th scope="col">{name}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map(({ long }, index) => (
                <tr>
                  <th scope="row">{long}</th>
                  {series.map(({ values }) => (
                    <td>{textOf(values[index], format)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

interface BarsProperties {
  readonly series: readonly Series[];
  readonly how: 'stacked' | 'nested';
  readonly index: number;
  readonly count: number;
  readonly y: (value: number) => number;
  readonly title: string;
}

function Bars({ series, how, index, count, y, title }: BarsProperties) {
  const heights = heightsOf(series, how, index);
  const width = `${String((100 / count) * 0.76)}%`;
  const x = percent(index, count);
  // Behind first, so that of nested bars the smaller one is seen.
  const bars = series
    .map(({ colour }, place) => {
      const upper = heights[place] ?? 0;
      const lower = how === 'stacked' ? (heights[place - 1] ?? 0) : 0;
      return { colour, upper, lower };
    })
    .filter(({ upper, lower }) => upper > lower);
  return (
    <g class="bar">
      <title>{title}</title>
      <rect class="hit" x={x} y={0} width={`${String(100 / count)}%`} height={height} />
      {(how === 'nested' ? bars.toReversed() : bars).map(({ colour, upper, lower }) => (
        <rect class={colour} x={x} width={width} y={y(upper)} height={Math.max(1, y(lower) - y(upper))} />
      ))}
    </g>
  );
}

/** How high each bar of one time reaches. */
function heightsOf(series: readonly Series[], how: 'stacked' | 'nested', index: number): number[] {
  let sum = 0;
  return series.map(({ values }) => {
    const value = values[index] ?? 0;
    sum += value;
    return how === 'stacked' ? sum : value;
  });
}

function told(series: readonly Series[], index: number, format: (value: number) => string): string {
  return (
    series
      .filter(({ values }) => (values[index] ?? 0) > 0 || series.length === 1)
      .map(({ name, values }) => `${name} ${textOf(values[index], format)}`)
      .join(', ') || 'nothing'
  );
}

function textOf(value: number | null | undefined, format: (value: number) => string): string {
  return value == null ? '–' : format(value);
}

function percent(index: number, count: number): string {
  return `${String((index / count) * 100)}%`;
}

/** Two to four values up to the largest at which a line helps. */
export function ticksOf(most: number, rules?: readonly number[]): number[] {
  if (most <= 0) return [];
  if (rules !== undefined) {
    const upper = rules.findIndex((value) => value >= most);
    const last = upper === -1 ? rules.length - 1 : upper;
    return rules.slice(Math.max(0, last - 1), last + 1);
  }
  const power = 10 ** Math.floor(Math.log10(most / 2));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => most / size <= 3) ?? most;
  return Array.from({ length: Math.ceil(most / step) }, (_, index) => (index + 1) * step).filter(
    // Counts have no halves.
    (value) => most < 3 || Number.isInteger(value),
  );
}
