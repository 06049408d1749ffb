// Checks of how many workers a pool has and how large their disks are.
import type { Fault } from '../../protocol/errors.js';
import type { PoolSize } from '../arguments.js';

export function checkSize(size: Partial<PoolSize> | undefined, faults: Fault[]): Required<PoolSize> {
  const { min = 1, max = Math.max(1, min), desired = min } = size ?? {};
  const whole = (path: string, value: number, from: number) => {
    if (Number.isInteger(value) && value >= from) return;
    faults.push({ path, reason: `expected a whole number from ${String(from)}, got ${String(value)}` });
  };
  whole('size.min', min, 0);
  whole('size.max', max, 1);
  whole('size.desired', desired, 0);
  if (min > max)
    faults.push({ path: 'size.max', reason: `is ${String(max)}, below size.min (${String(min)})` });
  else if (desired < min || desired > max) {
    faults.push({
      path: 'size.desired',
      reason: `is ${String(desired)}, expected a number from size.min (${String(min)}) to size.max (${String(max)})`,
    });
  }
  return { min, max, desired };
}

export function checkDisk(gigabytes: number | undefined, faults: Fault[]): number {
  const size = gigabytes ?? 40;
  if (!Number.isInteger(size) || size < 20 || size > 16_384) {
    faults.push({
      path: 'diskSizeGb',
      reason: `expected a whole number from 20 to 16384, got ${String(size)}`,
    });
  }
  return size;
}
