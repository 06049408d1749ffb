// The element of one row: number, time, text in its colours, and what was searched for marked in it.
import { piecesOf, type Piece } from './ansi.js';
import type { Lines } from './lines.js';
import { matchesIn } from './search.js';

export interface RowState {
  readonly query: string;
  /** The row that search or address point at. */
  readonly current: number | undefined;
}

export function drawRow(lines: Lines, index: number, { query, current }: RowState): HTMLElement {
  const row = document.createElement('div');
  row.className = index === current ? 'row current' : 'row';
  const heading = lines.headingAt(index);
  if (heading !== undefined) {
    row.classList.add('phase');
    row.textContent = heading.title;
    return row;
  }
  const number = String(lines.numberOf(index));
  const anchor = document.createElement('a');
  anchor.href = `#L${number}`;
  anchor.dataset['number'] = number;
  anchor.ariaLabel = `Line ${number}`;
  // The keyboard goes by search and scrolling; a stop at every line would be in its way.
  anchor.tabIndex = -1;
  anchor.title = new Date(lines.time(index)).toLocaleString();
  const text = document.createElement('span');
  text.className = 'text';
  const { pieces } = piecesOf(lines.text(index), lines.style(index));
  text.append(...markedPieces(pieces, query));
  row.append(anchor, text);
  return row;
}

/** Cuts pieces where a match begins or ends: colours and marks do not have to agree. */
function markedPieces(pieces: readonly Piece[], query: string): Node[] {
  const matches = matchesIn(pieces.map(({ text }) => text).join(''), query);
  const nodes: Node[] = [];
  let place = 0;
  for (const { text, classes } of pieces) {
    let rest = 0;
    for (const [begin, end] of matches) {
      const from = Math.max(begin - place, rest);
      const to = Math.min(end - place, text.length);
      if (from >= to) continue;
      if (from > rest) nodes.push(styled(text.slice(rest, from), classes));
      const mark = document.createElement('mark');
      mark.append(styled(text.slice(from, to), classes));
      nodes.push(mark);
      rest = to;
    }
    if (rest < text.length) nodes.push(styled(text.slice(rest), classes));
    place += text.length;
  }
  return nodes;
}

function styled(text: string, classes: string): Node {
  const node = document.createTextNode(text);
  if (classes === '') return node;
  const span = document.createElement('span');
  span.className = classes;
  span.append(node);
  return span;
}
