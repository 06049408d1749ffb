// What checks of several arguments share: words to choose from, and the texts of a list.
import type { Fault } from '../../protocol/errors.js';

/** One of some words; absent counts as the first. */
export function checkWord<const Words extends readonly [string, ...string[]]>(
  path: string,
  value: unknown,
  words: Words,
  faults: Fault[],
): Words[number] {
  const found = words.find((word) => word === (value ?? words[0]));
  if (found !== undefined) return found;
  faults.push({
    path,
    reason: `expected ${words.map((word) => `"${word}"`).join(' or ')}, got ${JSON.stringify(value)}`,
  });
  return words[0];
}

/** Looks at the texts in a list; what is not known yet is passed over. */
export function each(list: unknown, look: (item: string, index: string) => void): void {
  if (!Array.isArray(list)) return;
  list.forEach((item: unknown, index) => {
    if (typeof item === 'string') look(item, String(index));
  });
}
