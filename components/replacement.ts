// After how long without a connection a machine is replaced.
import { parseDuration } from '../protocol/duration.js';
import { messageOf, type Fault } from '../protocol/errors.js';

/** The duration, or null for never. */
export function checkReplacement(text: unknown, faults: Fault[]): string | null {
  const path = 'replaceDisconnectedAfter';
  if (text === undefined) return '30m';
  if (text === 'never') return null;
  try {
    if (typeof text === 'string' && parseDuration(text) >= 60_000) return text;
    faults.push({ path, reason: `expected at least "1m", or "never", got ${JSON.stringify(text)}` });
  } catch (error) {
    faults.push({ path, reason: `${messageOf(error)}. Or "never"` });
  }
  return null;
}
