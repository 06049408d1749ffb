// Plain tables for people: columns padded to their widest value, cut only where a terminal is too narrow.

// eslint-disable-next-line no-control-regex -- colour sequences start with the escape character
const colorSequence = /\u001b\[[0-9;]*m/g;

const graphemes = new Intl.Segmenter();

/** What a reader counts as characters, without colours. */
function characters(text: string): string[] {
  return Array.from(graphemes.segment(text.replaceAll(colorSequence, '')), ({ segment }) => segment);
}

function width(text: string): number {
  return characters(text).length;
}

function cut(text: string, room: number): string {
  if (width(text) <= room) return text;
  const kept = characters(text).slice(0, Math.max(room - 1, 0));
  return `${kept.join('').trimEnd()}…`;
}

/**
 * Lines of a table with one header line, two spaces between columns and no trailing spaces. When the
 * lines would be wider than `columns`, the last column is cut, never below eight characters. An empty
 * `rows` gives the header alone.
 */
export function tableLines(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  columns?: number,
): string[] {
  const widths = header.map((title, index) =>
    Math.max(width(title), ...rows.map((row) => width(row[index] ?? ''))),
  );
  const last = widths.length - 1;
  const before = widths.slice(0, last).reduce((sum, value) => sum + value + 2, 0);
  const room = columns === undefined ? Number.POSITIVE_INFINITY : Math.max(columns - before, 8);
  return [header, ...rows].map((cells) =>
    widths
      .map((size, index) => {
        const cell = cells[index] ?? '';
        if (index === last) return cut(cell, room);
        return cell + ' '.repeat(size - width(cell));
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Lines `name  value`, for one object. Values of several lines are indented below their first. */
export function fieldLines(fields: readonly (readonly [name: string, value: string])[]): string[] {
  const size = Math.max(0, ...fields.map(([name]) => width(name)));
  return fields.map(([name, value]) =>
    `${name}${' '.repeat(size - width(name))}  ${value.replaceAll('\n', `\n${' '.repeat(size + 2)}`)}`.trimEnd(),
  );
}
