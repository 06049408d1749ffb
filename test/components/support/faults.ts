// What a check of arguments finds, as one reads it.
import type { Fault } from '../../../protocol/errors.js';

/** The faults that a check finds, as `path: reason`. */
export function faultsOf(check: (faults: Fault[]) => unknown): string[] {
  const faults: Fault[] = [];
  check(faults);
  return faults.map(({ path, reason }) => `${path}: ${reason}`);
}
