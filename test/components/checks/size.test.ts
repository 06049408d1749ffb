import { describe, expect, it } from 'vitest';
import { checkDisk, checkSize } from '../../../components/checks/size.js';
import { faultsOf } from '../support/faults.js';

describe('sizes', () => {
  it('follow each other where they are not given', () => {
    const size = (given?: Parameters<typeof checkSize>[0]) => checkSize(given, []);
    expect(size()).toEqual({ min: 1, max: 1, desired: 1 });
    expect(size({ min: 0, max: 5 })).toEqual({ min: 0, max: 5, desired: 0 });
    expect(size({ min: 3 })).toEqual({ min: 3, max: 3, desired: 3 });
  });

  it.each([
    [{ min: -1, max: 1 }, 'size.min: expected a whole number from 0, got -1'],
    [{ min: 0, max: 0 }, 'size.max: expected a whole number from 1, got 0'],
    [{ min: 1.5, max: 2 }, 'size.min: expected a whole number from 0, got 1.5'],
    [{ min: 3, max: 2 }, 'size.max: is 2, below size.min (3)'],
    [
      { min: 1, max: 2, desired: 3 },
      'size.desired: is 3, expected a number from size.min (1) to size.max (2)',
    ],
  ])('such as %j are refused', (size, fault) => {
    expect(faultsOf((faults) => checkSize(size, faults))).toContain(fault);
  });
});

describe('machines', () => {
  it('have disks of a size that a machine can start from', () => {
    expect(faultsOf((faults) => checkDisk(10, faults))).toEqual([
      'diskSizeGb: expected a whole number from 20 to 16384, got 10',
    ]);
  });
});
