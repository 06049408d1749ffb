// The table that a person reads in a terminal.
import type { Figure } from './figure.js';

const columns = ['name', 'value', 'min … max', 'reference', 'ratio', 'goal', ''] as const;

/** Four significant digits at most, no exponent. */
function number(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 3 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}

function cells(figure: Figure): string[] {
  const { unit, reference, referenceValue, ratio, goal, met } = figure;
  return [
    figure.name,
    `${number(figure.value)} ${unit}`,
    `${number(figure.min)} … ${number(figure.max)}`,
    reference === null || referenceValue === null ? '' : `${reference}: ${number(referenceValue)} ${unit}`,
    ratio === null ? '' : `${number(ratio)} ×`,
    goal ?? '',
    met === null ? '' : met ? 'met' : 'NOT MET',
  ];
}

/** Lines of an aligned table, notes below the rows they belong to. */
export function table(figures: readonly Figure[]): string[] {
  const rows = [[...columns], ...figures.map(cells)];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  const [header, ...body] = rows;
  return [
    line(header ?? []),
    widths.map((width) => '─'.repeat(width)).join('  '),
    ...body.flatMap((row, index) => {
      const note = figures[index]?.note;
      return note === undefined ? [line(row)] : [line(row), `    ${note}`];
    }),
  ];
}
