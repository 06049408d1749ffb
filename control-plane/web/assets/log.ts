// The log of a run in the browser: follows what is written, keeps every line, shows those that one looks at, and finds
// texts in all of them. `#L12` in the address is line 12.
import { Lines, mostLines } from './log/lines.js';
import { drawRow } from './log/row.js';
import { Search } from './log/search.js';
import { Viewport } from './log/viewport.js';
import { openStream } from './stream.js';

/** Records that follow each other in one phase of one attempt, each with its time (Unix milliseconds) and text. */
interface LogEvent {
  readonly attempt: number;
  readonly state: string;
  readonly records: readonly (readonly [number, string])[];
}

export function followLog(container: HTMLElement, source: string): void {
  const part = <E extends HTMLElement>(name: string) => document.querySelector<E>(`[data-log="${name}"]`);
  const status = part('status');
  const counter = part('count');
  const input = part<HTMLInputElement>('search');
  const follow = part<HTMLButtonElement>('follow');
  const phases = part('phases');

  const lines = new Lines();
  let place = '';
  let following = location.hash === '';
  let current: number | undefined;
  /** Position among what was found. */
  let match = -1;

  const search = new Search(lines, () => {
    tellCount();
    viewport.redraw();
  });
  const viewport = new Viewport({
    container,
    lines,
    draw: (index) => drawRow(lines, index, { query: search.query, current }),
    onScroll: (atEnd) => {
      if (atEnd !== following) setFollowing(atEnd);
    },
  });

  function setFollowing(on: boolean): void {
    following = on;
    follow?.setAttribute('aria-pressed', String(on));
    if (on) viewport.toEnd();
  }

  function say(text: string): void {
    if (status !== null) status.textContent = text;
  }

  function tellCount(): void {
    if (counter === null) return;
    const { found, query, done } = search;
    if (query === '') counter.textContent = '';
    else if (found.length === 0) counter.textContent = done ? 'not found' : 'searching …';
    else
      counter.textContent = `${match < 0 ? '' : `${String(match + 1)} of `}${found.length.toLocaleString()} line${found.length === 1 ? '' : 's'}${done ? '' : ' …'}`;
  }

  function point(index: number | undefined, where: 'top' | 'middle' = 'middle'): void {
    current = index;
    viewport.redraw();
    if (index === undefined) return;
    setFollowing(false);
    viewport.show(index, where);
  }

  function toMatch(step: 1 | -1): void {
    const { found } = search;
    if (found.length === 0) return;
    const from = match === -1 ? nearest(found, viewport.firstVisible, step) : match + step;
    match = (from + found.length) % found.length;
    point(found[match]);
    tellCount();
  }

  function toAddress(): void {
    const number = Number(/^#L(\d+)$/.exec(location.hash)?.[1] ?? Number.NaN);
    const index = Number.isNaN(number) ? undefined : lines.indexOf(number);
    if (index !== undefined && index < lines.count) point(index);
  }

  function addPhase(title: string): void {
    lines.heading(title);
    const index = lines.count - 1;
    const button = document.createElement('button');
    button.className = 'chip';
    button.type = 'button';
    button.textContent = title;
    button.addEventListener('click', () => {
      setFollowing(false);
      viewport.show(index, 'top');
    });
    phases?.append(button);
  }

  function append({ attempt, state, records }: LogEvent): void {
    const before = lines.count;
    let first = before;
    if (place !== `${String(attempt)} ${state}`) {
      place = `${String(attempt)} ${state}`;
      addPhase(attempt > 1 ? `${state} · attempt ${String(attempt)}` : state);
    }
    for (const [time, text] of records) first = Math.min(first, lines.append(text, time));
    viewport.changed(first);
    search.goOn(first);
    if (lines.full)
      say(`This page shows the first ${mostLines.toLocaleString()} lines; the download has all.`);
    else say(`${(lines.count - lines.headings.length).toLocaleString()} lines`);
    container.classList.remove('empty');
    if (following) viewport.toEnd();
  }

  let arrived = false;
  const close = openStream({
    address: (last) => (last === '' ? source : `${source}?after=${encodeURIComponent(last)}`),
    on: {
      message({ data }) {
        append(JSON.parse(data) as LogEvent);
        if (!arrived) toAddress();
        arrived ||= current !== undefined;
      },
      end() {
        close();
        container.classList.add('ended');
        if (lines.count === 0) say('The run has written no line.');
      },
    },
    onFault(refused) {
      say(
        refused
          ? 'The control plane has refused the log for now; asking again …'
          : 'The line to the control plane is broken; trying again …',
      );
    },
  });

  window.addEventListener('hashchange', toAddress);
  input?.addEventListener('input', () => {
    match = -1;
    current = undefined;
    search.start(input.value);
    if (input.value === '') {
      tellCount();
      viewport.redraw();
    }
  });
  input?.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') {
      event.preventDefault();
      toMatch(event.shiftKey ? -1 : 1);
    }
  });
  part('next')?.addEventListener('click', () => {
    toMatch(1);
  });
  part('previous')?.addEventListener('click', () => {
    toMatch(-1);
  });
  follow?.addEventListener('click', () => {
    setFollowing(!following);
  });
  container.addEventListener('keydown', (event) => {
    if (event.key === '/') {
      event.preventDefault();
      input?.focus();
    }
    if (event.key === 'End') setFollowing(true);
  });
}

/** The first of what was found from a line on, or the last before it. */
function nearest(found: readonly number[], from: number, step: 1 | -1): number {
  const index = found.findIndex((line) => line >= from);
  if (step === 1) return index === -1 ? 0 : index;
  return index <= 0 ? found.length - 1 : index - 1;
}
