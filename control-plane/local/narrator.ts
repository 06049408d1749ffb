// What `poolwright local` says: lines for people, or with --json one object a line.
import type { RunState } from '../../protocol/runs.js';
import type { RunEvent } from '../cli/api/run-logs.js';
import type { Output } from '../cli/output.js';
import { Lines } from '../cli/run-printer.js';

/** Milliseconds until something that has not ended gets a line that says so, and between two such lines. */
const patience = { first: 1_000, next: 5_000 } as const;

export interface Narrator {
  /** Something that went as it should. */
  say(line: string): void;
  /** Something that is other than expected, and what follows from it. */
  warn(line: string): void;
  /** An event of the run. */
  run(event: RunEvent): void;
  /** A fact for programs, and its lines for people. */
  fact(kind: string, value: Readonly<Record<string, unknown>>, lines: readonly string[]): void;
  /** Waits for work; says `what` when it takes longer than a second. */
  during<Result>(what: string, work: Promise<Result>): Promise<Result>;
}

const stateColumn = 13;

/** `now` gives Unix milliseconds; the times shown count from the narrator's making. */
export function createNarrator(output: Output, now: () => number = Date.now): Narrator {
  const { terminal, json } = output;
  const { colors } = terminal;
  const started = now();
  const logLines = new Lines();
  let state: RunState | undefined;

  const line = (text: string) => {
    const seconds = ((now() - started) / 1000).toFixed(1).padStart(6);
    terminal.out(`${colors.dim(`${seconds}s`)}  ${text}\n`);
  };
  const logLine = (text: string) => {
    if (json) output.object({ kind: 'log', state, message: text });
    else line(`${' '.repeat(stateColumn)}${colors.dim('│')} ${text}`);
  };

  const narrator: Narrator = {
    say: (text) => {
      if (json) output.object({ kind: 'note', message: text });
      else line(text);
    },
    warn: (text) => {
      if (json) output.object({ kind: 'warning', message: text });
      else line(`${colors.yellow('!')} ${text}`);
    },
    run: (event) => {
      if (event.kind === 'log') {
        state = event.state;
        for (const text of logLines.push(event.text)) logLine(text);
        return;
      }
      for (const text of logLines.rest()) logLine(text);
      const { transition } = event;
      state = transition.state;
      if (json)
        output.object({ kind: 'state', state, timestamp: transition.timestamp, note: transition.note });
      else
        line(
          `${colors.bold(state.padEnd(stateColumn))}${transition.note === null ? '' : `  ${transition.note}`}`.trimEnd(),
        );
    },
    fact: (kind, value, lines) => {
      if (json) output.object({ kind, ...value });
      else for (const text of lines) line(text);
    },
    during: async (what, work) => {
      const begun = now();
      const tell = () => {
        const seconds = Math.round((now() - begun) / 1000);
        narrator.say(seconds < 2 ? `${what} …` : `${what} … (${String(seconds)} s)`);
        timer = setTimeout(tell, patience.next);
      };
      let timer = setTimeout(tell, patience.first);
      try {
        return await work;
      } finally {
        clearTimeout(timer);
      }
    },
  };
  return narrator;
}
