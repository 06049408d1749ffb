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
        rest = lines.pop() ?? '';
        for (; rest.length > longest; rest = rest.slice(longest)) lines.push(rest.slice(0, longest));
        if (lines.length > 0) print(lines);
      },
      end() {
        if (rest !== '') print([rest]);
        rest = '';
      },
    };
  };
}
