// Shows the events of a run: the log on stdout, changes of state on stderr, or both as JSON objects.
import type { RunState } from '../../protocol/runs.js';
import type { RunEvent } from './api/run-logs.js';
import type { RunWithHistory } from './api/runs.js';
import type { Output } from './output.js';
import { localTime } from './times.js';

/** Cuts a stream of text into lines. `rest` gives what came after the last line end and forgets it. */
export class Lines {
  #partial = '';

  push(text: string): string[] {
    const parts = (this.#partial + text).split('\n');
    this.#partial = parts.pop() ?? '';
    return parts;
  }

  rest(): string[] {
    const partial = this.#partial;
    this.#partial = '';
    return partial === '' ? [] : [partial];
  }
}

export interface RunPrinter {
  show(event: RunEvent): void;
  /** After the last event: an unfinished line, and in text why a run failed. */
  end(run: RunWithHistory): void;
}

/** What a person may do about a run that waits. */
function hint(state: RunState, stack: string, run: string): string {
  return state === 'UNCONFIRMED' ? `  (poolwright run confirm ${stack} ${run}, or discard)` : '';
}

/** A printer for one run of one stack, named by their ids. */
export function createRunPrinter(output: Output, stack: string, run: string): RunPrinter {
  const { terminal, json } = output;
  const { dim, bold } = terminal.noteColors;
  const lines = new Lines();
  let last: RunState | undefined;
  const message = (state: RunState, text: string) => {
    output.object({ kind: 'log', state, message: text });
  };
  const flush = () => {
    for (const line of lines.rest()) {
      if (json && last !== undefined) message(last, line);
      else terminal.out('\n');
    }
  };
  return {
    show(event) {
      if (event.kind === 'log') {
        last = event.state;
        const whole = lines.push(event.text);
        if (!json) terminal.out(event.text);
        else for (const line of whole) message(event.state, line);
        return;
      }
      flush();
      const { state, timestamp, note, username, terminal: ends } = event.transition;
      if (json) output.object({ kind: 'state', state, timestamp, terminal: ends, note, username });
      else {
        const why = note === null ? '' : `  ${note}`;
        terminal.note(`${dim(localTime(timestamp))}  ${bold(state)}${why}${hint(state, stack, run)}`);
      }
    },
    end({ failure }) {
      flush();
      if (!json && failure !== null) {
        terminal.note(`${terminal.noteColors.red(failure.code)}: ${failure.message}`);
      }
    },
  };
}
