// Colours of terminals as class names. Sequences that are not colours are left out.

/** A piece of a line in one style. `classes`: names for the style sheet, separated by spaces. */
export interface Piece {
  readonly text: string;
  readonly classes: string;
}

const escape = '\u001b';
const sequence = new RegExp(`(${escape}\\[[\\d;?]*[A-Za-z]|${escape}\\][^\\u0007]*\\u0007)`);
const colours = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];

/** The pieces of a line that begins in a style, and the style in which it ends. */
export function piecesOf(line: string, before: string): { pieces: Piece[]; after: string } {
  if (!line.includes(escape))
    return { pieces: line === '' ? [] : [{ text: line, classes: before }], after: before };
  const pieces: Piece[] = [];
  let classes = before;
  for (const part of line.split(sequence)) {
    const codes = part.startsWith(escape) ? /^.\[([\d;]*)m$/.exec(part)?.[1] : undefined;
    if (codes !== undefined) classes = classesOf(codes, classes);
    else if (part !== '' && !part.startsWith(escape)) pieces.push({ text: part, classes });
  }
  return { pieces, after: classes };
}

/** What a person reads of a line. */
export function plainText(line: string): string {
  if (!line.includes(escape)) return line;
  return piecesOf(line, '')
    .pieces.map(({ text }) => text)
    .join('');
}

function classesOf(codes: string, before: string): string {
  let now = before.split(' ').filter((name) => name !== '');
  for (const code of (codes === '' ? '0' : codes).split(';').map(Number)) {
    const colour = colours[code % 10];
    const isColour = (code >= 30 && code <= 37) || (code >= 90 && code <= 97);
    if (code === 0) now = [];
    else if (code === 1) now.push('bold');
    else if (code === 2) now.push('dim');
    else if (code === 22) now = now.filter((name) => name !== 'bold' && name !== 'dim');
    else if (code === 39) now = now.filter((name) => !colours.includes(name));
    else if (isColour && colour !== undefined)
      now = [...now.filter((name) => !colours.includes(name)), colour];
  }
  return now.join(' ');
}
