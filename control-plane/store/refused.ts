// What the database refuses because of what somebody gave, wherever it came in: a fault of the input and not of ours.
import { PoolwrightError } from '../../protocol/errors.js';

/** Codes of PostgreSQL: text that is not valid in its encoding, and `\u0000` within JSON. */
const noText: ReadonlySet<unknown> = new Set(['22021', '22P05']);

/** The error as whoever asked is to have it; undefined when it is none of theirs. */
export function faultOfInput(error: unknown): PoolwrightError | undefined {
  if (!(error instanceof Error) || !('code' in error) || !noText.has(error.code)) return undefined;
  const message = 'A text has the character NUL (U+0000) in it, which cannot be stored. Leave it out.';
  return new PoolwrightError('INVALID_ARGUMENT', message, { cause: error });
}
