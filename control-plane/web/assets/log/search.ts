// Looks for a text in all lines of a log, a slice at a time, so that the page stays quick while a million are read.
import type { Lines } from './lines.js';

/** Lines between two frames. */
const slice = 50_000;

export class Search {
  /** Rows that have it, in order. */
  readonly found: number[] = [];
  /** Lower case; empty: nothing is looked for. */
  query = '';
  #searched = 0;
  #working = false;

  constructor(
    private readonly lines: Lines,
    private readonly onProgress: () => void,
  ) {}

  get done(): boolean {
    return this.#searched >= this.lines.count;
  }

  start(query: string): void {
    this.query = query.toLowerCase();
    this.found.length = 0;
    this.#searched = 0;
    this.goOn();
  }

  /** To be called when there are more lines. `from`: the first that is new or different. */
  goOn(from = this.lines.count): void {
    if (this.query === '') return;
    if (from < this.#searched) {
      this.#searched = from;
      while ((this.found.at(-1) ?? -1) >= from) this.found.pop();
    }
    if (!this.#working) this.#work();
  }

  #work(): void {
    const { query } = this;
    const until = Math.min(this.lines.count, this.#searched + slice);
    for (; this.#searched < until; this.#searched += 1) {
      const text = this.lines.plain(this.#searched);
      if (text.toLowerCase().includes(query)) this.found.push(this.#searched);
    }
    this.onProgress();
    this.#working = query !== '' && !this.done;
    if (this.#working)
      requestAnimationFrame(() => {
        this.#work();
      });
  }
}

/** Where a text has the query: pairs of begin and end. */
export function matchesIn(text: string, query: string): [number, number][] {
  const found: [number, number][] = [];
  if (query === '') return found;
  const lower = text.toLowerCase();
  for (let at = lower.indexOf(query); at !== -1; at = lower.indexOf(query, at + query.length))
    found.push([at, at + query.length]);
  return found;
}
