import { describe, expect, it } from 'vitest';
import { checkMachine } from '../../../components/checks/machine.js';
import { faultsOf } from '../support/faults.js';

describe('machines', () => {
  it.each([
    [
      'aws',
      't3.micro',
      /^machineType: t3\.micro has 2 vCPU and 1 GB; a worker needs at least 2 vCPU and 2 GB/,
    ],
    ['aws', 'm7g.medium', /has 1 vCPU and 4 GB/],
    ['azure', 'Standard_B1ms', /has 1 vCPU and 2 GB/],
    ['google', 'e2-micro', /has 2 vCPU and 1 GB/],
  ] as const)('that are too small on %s are refused by name: %s', (cloud, machineType, fault) => {
    expect(faultsOf((faults) => checkMachine(cloud, { machineType }, faults, []))).toEqual([
      expect.stringMatching(fault),
    ]);
  });

  it('have the architecture of their type, which must not be contradicted', () => {
    expect(checkMachine('aws', { machineType: 'c7g.large' }, [], [])).toMatchObject({
      architecture: 'arm64',
    });
    const contradiction = { machineType: 'c7g.large', architecture: 'x86_64' };
    expect(faultsOf((faults) => checkMachine('aws', contradiction, faults, []))).toEqual([
      'architecture: is x86_64, but c7g.large is arm64. Leave one of the two out',
    ]);
    expect(faultsOf((faults) => checkMachine('aws', { architecture: 'amd64' }, faults, []))).toEqual([
      'architecture: expected "x86_64" or "arm64", got "amd64"',
    ]);
  });

  it('that nobody knows are taken with a warning', () => {
    const warnings: string[] = [];
    expect(
      faultsOf((faults) =>
        checkMachine('google', { machineType: 'z9-huge', architecture: 'arm64' }, faults, warnings),
      ),
    ).toEqual([]);
    expect(warnings).toHaveLength(1);
  });
});
