// Shows the rows of a log that one looks at and no others. A line that is wider than the view takes several rows of
// the same height, so where each line is follows from counting, not from laying out a million elements.
import type { Lines } from './lines.js';

/** Pixels that browsers of today scroll without losing precision; a longer log scrolls a little faster instead. */
const tallest = 16_000_000;
/** Pixels above and below that are drawn, too. */
const margin = 300;

export interface ViewportParts {
  readonly container: HTMLElement;
  readonly lines: Lines;
  /** Makes the element of a row. */
  readonly draw: (index: number) => HTMLElement;
  /** Told when a person has scrolled, and whether the end is in sight. */
  readonly onScroll: (atEnd: boolean, first: number) => void;
}

export class Viewport {
  readonly #parts: ViewportParts;
  readonly #space = document.createElement('div');
  readonly #layer = document.createElement('div');
  readonly #drawn = new Map<number, HTMLElement>();
  /** Rows of the screen up to and including each line. */
  #ends = new Float64Array(1024);
  #counted = 0;
  #columns = 80;
  #height = 20;
  #pending = false;

  constructor(parts: ViewportParts) {
    this.#parts = parts;
    this.#space.className = 'space';
    this.#layer.className = 'layer';
    this.#space.append(this.#layer);
    parts.container.append(this.#space);
    parts.container.addEventListener('scroll', () => {
      parts.onScroll(this.atEnd, this.firstVisible);
      this.refresh();
    });
    new ResizeObserver(() => {
      this.#measure();
    }).observe(parts.container);
    this.#measure();
  }

  get atEnd(): boolean {
    const { scrollTop, clientHeight, scrollHeight } = this.#parts.container;
    return scrollTop + clientHeight >= scrollHeight - this.#height;
  }

  /** The line at the upper edge. */
  get firstVisible(): number {
    return this.#lineAt(this.#top() / this.#height);
  }

  /** Rows from `first` on are new or different. */
  changed(first: number): void {
    this.redraw(first);
    this.#count(first);
  }

  /** Rows look different and are as long as before. */
  redraw(first = 0): void {
    for (const [index, element] of this.#drawn) {
      if (index < first) continue;
      element.remove();
      this.#drawn.delete(index);
    }
    this.refresh();
  }

  toEnd(): void {
    this.#parts.container.scrollTop = this.#parts.container.scrollHeight;
    this.refresh();
  }

  /** Brings a line into view: to the upper edge, or to the middle. */
  show(index: number, where: 'top' | 'middle'): void {
    const { container } = this.#parts;
    const y = this.#endOf(index - 1) * this.#height;
    const above = where === 'top' ? 0 : container.clientHeight / 2;
    container.scrollTop = Math.max(0, y - above) / this.#ratio();
    this.refresh();
  }

  /** Draws once before the next frame. */
  refresh(): void {
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      this.#render();
    });
  }

  /** How wide a character and how high a row is, and so how many columns there are. */
  #measure(): void {
    const { container } = this.#parts;
    const probe = document.createElement('div');
    probe.className = 'row';
    const gutter = document.createElement('a');
    const text = document.createElement('span');
    text.className = 'text';
    text.textContent = 'x'.repeat(50);
    probe.append(gutter, text);
    this.#layer.append(probe);
    const range = document.createRange();
    range.selectNodeContents(text);
    const { width: fifty, height } = range.getClientRects()[0] ?? { width: 400, height: 20 };
    const available = text.getBoundingClientRect().width;
    this.#height = probe.getBoundingClientRect().height || height;
    probe.remove();
    const columns = Math.max(20, Math.floor(available / (fifty / 50)));
    const first = columns === this.#columns ? this.#counted : 0;
    this.#columns = columns;
    container.style.setProperty('--columns', `${String(columns)}ch`);
    this.changed(first);
  }

  #count(from: number): void {
    const { lines } = this.#parts;
    if (lines.count > this.#ends.length) {
      const larger = new Float64Array(Math.max(lines.count, this.#ends.length * 2));
      larger.set(this.#ends);
      this.#ends = larger;
    }
    let end = this.#endOf(from - 1);
    for (let index = from; index < lines.count; index += 1) {
      end += this.#rowsOf(index);
      this.#ends[index] = end;
    }
    this.#counted = lines.count;
    this.#space.style.height = `${String(Math.min(this.#total(), tallest))}px`;
  }

  #rowsOf(index: number): number {
    return Math.max(1, Math.ceil(this.#parts.lines.width(index) / this.#columns));
  }

  #endOf(index: number): number {
    return index < 0 ? 0 : (this.#ends[index] ?? 0);
  }

  #total(): number {
    return this.#endOf(this.#counted - 1) * this.#height;
  }

  /** Pixels of the log for each that is scrolled. */
  #ratio(): number {
    const view = this.#parts.container.clientHeight;
    const total = this.#total();
    return total <= tallest ? 1 : (total - view) / (tallest - view);
  }

  #top(): number {
    return this.#parts.container.scrollTop * this.#ratio();
  }

  #lineAt(row: number): number {
    let low = 0;
    let high = this.#counted - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#endOf(middle) > row) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #render(): void {
    const { container, draw } = this.#parts;
    const top = this.#top();
    const first = this.#lineAt(Math.max(0, top - margin) / this.#height);
    const last = this.#lineAt((top + container.clientHeight + margin) / this.#height);
    for (const [index, element] of this.#drawn) {
      if (index >= first && index <= last) continue;
      element.remove();
      this.#drawn.delete(index);
    }
    let place = this.#layer.firstChild;
    for (let index = first; index <= last && index < this.#counted; index += 1) {
      const known = this.#drawn.get(index);
      if (known !== undefined) {
        place = known.nextSibling;
        continue;
      }
      const element = draw(index);
      element.style.height = `${String(this.#rowsOf(index) * this.#height)}px`;
      this.#drawn.set(index, element);
      this.#layer.insertBefore(element, place);
    }
    const y = container.scrollTop + this.#endOf(first - 1) * this.#height - top;
    this.#layer.style.transform = `translateY(${String(y)}px)`;
  }
}
