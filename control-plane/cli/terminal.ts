// Where a command's words go: stdout for what was asked, stderr for everything said on the way.
import { createColors } from 'picocolors';

type Colors = ReturnType<typeof createColors>;

/** What commands know of the world around them. Tests hand in their own. */
export interface Terminal {
  /** Writes to stdout exactly as given. */
  out(text: string): void;
  /** Writes one line to stderr. */
  note(line: string): void;
  /** Colours for stdout; identity functions where colours are off. */
  readonly colors: Colors;
  /** Colours for stderr. */
  readonly noteColors: Colors;
  /** Width of stdout in columns; undefined when it is not a terminal, so that pipes get whole values. */
  readonly columns: number | undefined;
  /** Whether a person sits at stdin and stderr, so that a question can be asked. */
  readonly interactive: boolean;
  readonly environment: NodeJS.ProcessEnv;
}

/**
 * Whether a stream gets colours: NO_COLOR (any value but the empty one, https://no-color.org) wins,
 * then FORCE_COLOR, then whether the stream is a terminal that is not "dumb".
 */
export function wantsColor(environment: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if ((environment['NO_COLOR'] ?? '') !== '') return false;
  const forced = environment['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0';
  return isTerminal && environment['TERM'] !== 'dumb';
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr, env } = process;
  return {
    out: (text) => stdout.write(text),
    note: (line) => stderr.write(`${line}\n`),
    colors: createColors(wantsColor(env, stdout.isTTY)),
    noteColors: createColors(wantsColor(env, stderr.isTTY)),
    columns: stdout.isTTY ? stdout.columns : undefined,
    interactive: stdin.isTTY && stderr.isTTY,
    environment: env,
  };
}
