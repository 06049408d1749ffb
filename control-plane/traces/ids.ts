// The ids of a run's trace, derived from the run's own: processes that never spoke to each other add to the same trace,
// and a span can name its parent before that is sent.
import { createHash } from 'node:crypto';
import type { RunState } from '../../protocol/runs.js';

function digits(text: string, count: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, count);
}

/** The first 16 bytes of the SHA-256 of the run's id, in hexadecimal digits. */
export function traceIdOf(run: string): string {
  return digits(run, 32);
}

/** Of the span of the whole run. */
export function runSpanIdOf(run: string): string {
  return digits(`${run}/run`, 16);
}

/** Of the span of one stay in a state. `attempt`: of the run when it entered the state. */
export function staySpanIdOf(run: string, attempt: number, state: RunState): string {
  return digits(`${run}/${String(attempt)}/${state}`, 16);
}
