// The text of `launcher --help` on variables, made from the table that is read.
import { families } from './families.js';
import { sharedVariables } from './shared-variables.js';
import { variables } from './variables.js';

const width = 100;
const indent = '      ';

/** Every variable with its meaning and default, for a terminal of 100 columns. */
export function describeVariables(): string {
  const entries = [
    ...Object.values(variables).map(({ name, meaning, ...variable }) => ({
      name,
      text: `${meaning} ${defaultOf(variable)}`,
    })),
    ...sharedVariables.map(({ name, meaning, otherwise }) => ({
      name,
      text: `${meaning} Default: ${otherwise}.`,
    })),
    ...Object.values(families).map(({ name, meaning }) => ({ name, text: meaning })),
  ];
  return entries.map(({ name, text }) => `  ${name}\n${wrap(text)}`).join('\n');
}

function defaultOf(variable: { readonly default: string | undefined; readonly noDefault?: string }): string {
  if (variable.default === undefined) return 'Required.';
  return `Default: ${variable.default || (variable.noDefault ?? 'none')}.`;
}

function wrap(text: string): string {
  const lines: string[] = [];
  let line = indent.trimEnd();
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > width && line.trim() !== '') {
      lines.push(line);
      line = indent.trimEnd();
    }
    line = line.trim() === '' ? indent + word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}
