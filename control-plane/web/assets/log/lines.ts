// The lines of a log in the browser's memory, a million of them if need be: text, style at the start, width and time,
// each in an array of its own. Phases of the run are rows among them, as headings.
import { piecesOf, plainText } from './ansi.js';

/** Lines that a page holds at most; what comes after them is in the download. */
export const mostLines = 3_000_000;
const tabulator = 8;

export interface Heading {
  /** Of its row. */
  readonly index: number;
  readonly title: string;
}

/** Numbers that are only ever appended. */
class Numbers {
  length = 0;
  #values: Float64Array = new Float64Array(1024);

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Float64Array(this.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length] = value;
    this.length += 1;
  }

  at(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }
}

export class Lines {
  readonly headings: Heading[] = [];
  /** Whether lines were left out because there are too many. */
  full = false;
  readonly #texts: string[] = [];
  readonly #styles: string[] = [];
  readonly #widths = new Numbers();
  readonly #times = new Numbers();
  #style = '';
  /** The last line has no end yet: what comes next goes on with it. */
  #open = false;

  /** Rows: lines and headings. */
  get count(): number {
    return this.#texts.length;
  }

  heading(title: string): void {
    this.#open = false;
    this.#style = '';
    this.headings.push({ index: this.count, title });
    this.#push(title, 0);
  }

  /** `time`: Unix milliseconds. Answers the first row that is new or longer than before. */
  append(text: string, time: number): number {
    const first = this.#open ? this.count - 1 : this.count;
    const parts = text.split('\n');
    parts.forEach((part, index) => {
      const isLast = index === parts.length - 1;
      if (isLast && part === '') return;
      if (this.#open) this.#extend(part);
      else if (this.count >= mostLines) this.full = true;
      else this.#push(part, time);
      this.#open = isLast;
    });
    if (text.endsWith('\n')) this.#open = false;
    return first;
  }

  text(index: number): string {
    return this.#texts[index] ?? '';
  }

  /** What a person reads of it. */
  plain(index: number): string {
    return plainText(this.text(index));
  }

  style(index: number): string {
    return this.#styles[index] ?? '';
  }

  /** Columns of a terminal. */
  width(index: number): number {
    return this.#widths.at(index);
  }

  /** Unix milliseconds; 0 for a heading. */
  time(index: number): number {
    return this.#times.at(index);
  }

  headingAt(index: number): Heading | undefined {
    return this.headings.find((heading) => heading.index === index);
  }

  /** From 1, not counting headings. */
  numberOf(index: number): number {
    return index + 1 - this.headings.filter((heading) => heading.index < index).length;
  }

  /** The row with a number. */
  indexOf(number: number): number {
    let index = number - 1;
    for (const heading of this.headings) if (heading.index <= index) index += 1;
    return index;
  }

  #push(raw: string, time: number): void {
    const text = shown(raw);
    this.#texts.push(text);
    this.#styles.push(this.#style);
    this.#times.push(time);
    this.#widths.push(widthOf(plainText(text)));
    this.#style = piecesOf(text, this.#style).after;
  }

  #extend(raw: string): void {
    const index = this.count - 1;
    const text = shown(this.text(index) + raw);
    this.#texts[index] = text;
    this.#widths.set(index, widthOf(plainText(text)));
    this.#style = piecesOf(text, this.style(index)).after;
  }
}

/** As a terminal would leave it: a line that was written over shows its last text, tabulators are spaces. */
function shown(raw: string): string {
  let text = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
  const over = text.lastIndexOf('\r');
  if (over !== -1) text = text.slice(over + 1);
  if (!text.includes('\t')) return text;
  let line = '';
  for (const part of text.split(/(\t)/)) {
    line += part === '\t' ? ' '.repeat(tabulator - (plainText(line).length % tabulator)) : part;
  }
  return line;
}

/** Characters of East Asia and pictures take two columns. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Extended_Pictographic}/gu;
// eslint-disable-next-line no-control-regex -- everything that is not of the simple scripts
const simple = /^[\u0000-\u10ff\u2000-\u25ff]*$/;

function widthOf(text: string): number {
  if (simple.test(text)) return text.length;
  return Array.from(text).length + (text.match(wide)?.length ?? 0);
}
