// The two shapes of a command's answer: one JSON document for programs, or lines for people.
import type { Terminal } from './terminal.js';
import { fieldLines, tableLines } from './table.js';

export interface Output {
  readonly json: boolean;
  readonly terminal: Terminal;
  /** The command's one answer: `value` as a JSON document, or what `lines` gives. */
  answer(value: unknown, lines: () => readonly string[]): void;
  /** One object of a stream of objects, one a line; only where `json` is set. */
  object(value: unknown): void;
  table(header: readonly string[], rows: readonly (readonly string[])[]): string[];
  fields(fields: readonly (readonly [name: string, value: string])[]): string[];
}

/** Output of one command. `json` is the command's `--json`. */
export function createOutput(terminal: Terminal, json: boolean): Output {
  const { colors } = terminal;
  return {
    json,
    terminal,
    answer: (value, lines) => {
      if (json) terminal.out(`${JSON.stringify(value, null, 2)}\n`);
      else
        terminal.out(
          lines()
            .map((line) => `${line}\n`)
            .join(''),
        );
    },
    object: (value) => {
      terminal.out(`${JSON.stringify(value)}\n`);
    },
    table: (header, rows) => {
      const [titles = '', ...rest] = tableLines(header, rows, terminal.columns);
      return [colors.bold(titles), ...rest];
    },
    fields: (fields) => fieldLines(fields.map(([name, value]) => [colors.dim(name), value])),
  };
}
