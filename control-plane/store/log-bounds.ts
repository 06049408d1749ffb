// What every store of logs holds to: numbers without gaps, and a bound on the text of one log.
import { PoolwrightError } from '../../protocol/errors.js';
import { limits } from '../../protocol/limits.js';
import type { SpoolRecord } from '../../protocol/worker-api.js';
import type { LogLine } from './log-file.js';

/** Throws OUT_OF_SEQUENCE unless the records follow the last one that is stored. */
export function assertFollows(last: number, lines: readonly LogLine[]): void {
  lines.forEach(({ record }, index) => {
    const expected = last + 1 + index;
    if (record.n !== expected) {
      throw new PoolwrightError(
        'OUT_OF_SEQUENCE',
        `Expected record ${String(expected)}, got ${String(record.n)}. Send again from ${String(expected)}.`,
      );
    }
  });
}

/** A log beyond its bound keeps its numbers, so that the run goes on, but not its text. `stored`: bytes so far. */
export function bounded(stored: number, lines: readonly LogLine[]): LogLine[] {
  let size = stored;
  return lines.map((line) => {
    const before = size;
    size += line.text.length + 1;
    if (size <= limits.runLog || line.record.k !== 'log') return line;
    const m = before <= limits.runLog ? '[log limit reached: further output is not kept]\n' : '';
    const record: SpoolRecord = { ...line.record, m };
    const text = JSON.stringify(record);
    size = Math.max(before, limits.runLog) + text.length + 1;
    return { record, text };
  });
}

/** The last line of a text, shortened for a sentence. */
export function lastLineOf(text: string): string {
  return (text.trimEnd().split('\n').at(-1) ?? '').slice(0, 500);
}
