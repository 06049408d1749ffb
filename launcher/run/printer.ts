// Run logs on the launcher's own standard output: a JSON line for each line of a run, for log collectors.
import type { Assignment } from '../../protocol/messages.js';

/** A line that is longer is printed in parts. */
const longest = 16 * 1024;

export interface RunPrinter {
  /** Takes the log as it comes; whole lines are printed. */
  readonly text: (text: string) => void;
  /** The run has ended: prints a last line that has no line end. */
  readonly end: () => void;
}

/** A printer for each run. `now` in Unix milliseconds. */
export function createRunPrinter(
  write: (text: string) => void,
  now: () => number,
): (assignment: Pick<Assignment, 'run' | 'stack'>) => RunPrinter {
  return ({ run, stack }) => {
    let rest = '';
    const print = (lines: readonly string[]) => {
      const ts = now() / 1000;
      write(lines.map((msg) => `${JSON.stringify({ run_ulid: run, stack_id: stack, ts, msg })}\n`).join(''));
    };
    return {
      text(text) {
        const lines = (rest + text).split(/\r?\n/);
        const last = partsOf(lines.pop() ?? '');
        rest = last.pop() ?? '';
        const parts = [...lines.flatMap(partsOf), ...last];
        if (parts.length > 0) print(parts);
      },
      end() {
        if (rest !== '') print([rest]);
        rest = '';
      },
    };
  };
}

/** At most `longest` units each, never cut through a character; one empty part for an empty line. */
function partsOf(line: string): string[] {
  const parts: string[] = [];
  let start = 0;
  while (line.length - start > longest) {
    let end = start + longest;
    const unit = line.charCodeAt(end - 1);
    if (unit >= 0xd800 && unit <= 0xdbff) end -= 1;
    parts.push(line.slice(start, end));
    start = end;
  }
  parts.push(line.slice(start));
  return parts;
}
