// Reads tables and code blocks out of the documentation, so that tests can hold it to the code.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Row {
  /** What stands in backticks in the first cell. */
  readonly names: readonly string[];
  readonly text: string;
}

/** A file below docs/ of the working directory. */
export function readDocument(name: string): string {
  return readFileSync(join('docs', name), 'utf8');
}

/** What stands under a heading, up to the next heading of the same or a higher level. */
export function section(document: string, heading: string): string {
  const lines = document.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  if (start < 0) throw new Error(`There is no heading "${heading}"`);
  const level = /^#+/.exec(lines[start]!)![0].length;
  const length = lines.slice(start + 1).findIndex((line) => (/^(#+) /.exec(line)?.[1]?.length ?? 9) <= level);
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length).join('\n');
}

/** What stands under a heading before any other heading. */
export function opening(document: string, heading: string): string {
  return section(document, heading).split(/^#+ /m)[0]!;
}

/** The rows of all tables in a text, without their heads. */
export function rows(text: string): Row[] {
  return text
    .split('\n')
    .filter((line, index, lines) => line.startsWith('|') && !isHead(lines, index))
    .map((line) => ({
      names: [...line.split('|')[1]!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!),
      text: line,
    }));
}

/** The code block after a comment `<!-- test: NAME -->`. */
export function block(document: string, name: string): string {
  const found = new RegExp(`<!-- test: ${name.replaceAll('.', '\\.')} -->\n\`\`\`[a-z]*\n([^]*?)\`\`\``).exec(
    document,
  );
  if (found === null) throw new Error(`There is no block "${name}"`);
  return found[1]!;
}

function isHead(lines: readonly string[], index: number): boolean {
  const rule = /^\| -/;
  return rule.test(lines[index]!) || rule.test(lines[index + 1] ?? '');
}
