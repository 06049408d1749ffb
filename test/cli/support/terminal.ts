// A terminal that keeps what was said.
import { createColors } from 'picocolors';
import type { Terminal } from '../../../control-plane/cli/terminal.js';

export interface KeptTerminal extends Terminal {
  /** All of stdout. */
  output(): string;
  /** The lines of stderr. */
  notes(): readonly string[];
}

export function keptTerminal(settings: Partial<Terminal> = {}): KeptTerminal {
  let text = '';
  const lines: string[] = [];
  return {
    out: (part) => {
      text += part;
    },
    note: (line) => {
      lines.push(line);
    },
    colors: createColors(false),
    noteColors: createColors(false),
    columns: undefined,
    interactive: false,
    environment: {},
    output: () => text,
    notes: () => lines,
    ...settings,
  };
}
