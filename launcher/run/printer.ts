// Run logs on the launcher's own standard output: a JSON line for each line of a run, for log collectors.
import type { Assignment } from '../../protocol/messages.js';

/** A line that is longer is printed in parts. */
const longest = 16 * 1024;

/** For each run a function that takes its log as it comes and prints whole lines. `now` in Unix milliseconds. */
export function createRunPrinter(
  write: (text: string) => void,
  now: () => number,
): (assignment: Pick<Assignment, 'run' | 'stack'>) => (text: string) => void {
  return ({ run, stack }) => {
    let rest = '';
    return (text) => {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop() ?? '';
      if (rest.length > longest) lines.push(rest.slice(0, longest));
      rest = rest.slice(rest.length > longest ? longest : 0);
      const ts = now() / 1000;
      write(lines.map((msg) => `${JSON.stringify({ run_ulid: run, stack_id: stack, ts, msg })}\n`).join(''));
    };
  };
}
