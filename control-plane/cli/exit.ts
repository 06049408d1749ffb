// How a command ends: the three exit codes and the words of a failure.
import { CommanderError } from 'commander';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import type { Terminal } from './terminal.js';

/** Exit codes of every command; docs/cli.md repeats them. */
export const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/** The command line itself is wrong: exit code 2. What the server refuses is exit code 1. */
export class UsageError extends PoolwrightError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('INVALID_ARGUMENT', message, options);
  }
}

/** The command did what it was told and the answer is "no", already said: only the exit code is left. */
export class QuietFailure extends Error {
  override readonly name = 'QuietFailure';
}

/**
 * Says on stderr what went wrong, as a line or with `json` as `{"error":{"code","message"}}`, and
 * returns the exit code. `POOLWRIGHT_DEBUG=true` adds the technical cause and the stack trace.
 */
export function reportFailure(error: unknown, terminal: Terminal, json: boolean): number {
  // commander has written its own message, or the help text that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof QuietFailure) return exitCodes.failed;
  const code = error instanceof PoolwrightError ? error.code : 'INTERNAL';
  if (json) {
    terminal.note(JSON.stringify({ error: { code, message: messageOf(error) } }));
  } else {
    terminal.note(`${terminal.noteColors.red('error')} ${code}: ${messageOf(error)}`);
  }
  if (terminal.environment['POOLWRIGHT_DEBUG'] === 'true' && error instanceof Error) {
    terminal.note(error.stack ?? '');
    if (error.cause !== undefined) terminal.note(`caused by: ${messageOf(error.cause)}`);
  }
  return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
}
