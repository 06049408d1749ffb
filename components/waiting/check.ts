// The checks of waitForWorkers.
import type { Fault } from '../../protocol/errors.js';
import type { WaitForWorkers } from '../arguments.js';

/** `given` is whether the argument is there, and which of its parts; values are what is known of them. */
export function checkWaiting(
  given: WaitForWorkers | undefined,
  known: Partial<WaitForWorkers> | undefined,
  largest: number,
  faults: Fault[],
): void {
  if (given === undefined) return;
  for (const name of ['count', 'endpoint', 'apiKeyId', 'apiKeySecret', 'workerPool'] as const) {
    // Callers without types may have left it out.
    if (!(name in given)) faults.push({ path: `waitForWorkers.${name}`, reason: 'is missing' });
  }
  const { count, endpoint, timeoutMinutes } = known ?? {};
  if (count !== undefined && (!Number.isInteger(count) || count < 1 || count > largest)) {
    faults.push({
      path: 'waitForWorkers.count',
      reason: `expected a whole number from 1 to size.max (${String(largest)}), got ${String(count)}`,
    });
  }
  if (timeoutMinutes !== undefined && !(timeoutMinutes >= 1 && timeoutMinutes <= 24 * 60)) {
    faults.push({
      path: 'waitForWorkers.timeoutMinutes',
      reason: `expected 1 to 1440 minutes, got ${String(timeoutMinutes)}`,
    });
  }
  if (typeof endpoint === 'string' && !(/^https?:\/\//.test(endpoint) && URL.canParse(endpoint))) {
    faults.push({
      path: 'waitForWorkers.endpoint',
      reason: `expected an address such as "https://poolwright.example.com", got ${JSON.stringify(endpoint)}`,
    });
  }
}
