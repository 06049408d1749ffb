import { describe, expect, it } from 'vitest';
import {
  azureMachineOf,
  defaultMachine,
  knownTypes,
  least,
  machineOf,
  type Cloud,
} from '../../components/machines.js';

const clouds: readonly Cloud[] = ['aws', 'azure', 'google'];

describe('the table of machine types', () => {
  it.each(clouds)('has defaults of %s that are large enough and of their architecture', (cloud) => {
    for (const architecture of ['x86_64', 'arm64'] as const) {
      const machine = machineOf(cloud, defaultMachine[cloud][architecture]);
      expect(machine?.architecture).toBe(architecture);
      expect(machine?.vcpu).toBeGreaterThanOrEqual(least.vcpu);
      expect(machine?.memory).toBeGreaterThanOrEqual(least.memory);
    }
  });

  it('has the documented defaults', () => {
    expect(clouds.map((cloud) => defaultMachine[cloud].x86_64)).toEqual([
      't3.small',
      'Standard_A2_v2',
      'e2-medium',
    ]);
  });

  it('knows that A-series v2 machines of Azure are of generation 1 with standard disks', () => {
    const series = knownTypes('azure').filter((type) => /^Standard_A\d+m?_v2$/.test(type));
    expect(series.length).toBeGreaterThan(3);
    for (const type of series)
      expect(azureMachineOf(type)).toMatchObject({ generation: 1, premiumDisk: false });
    expect(azureMachineOf('Standard_D2s_v5')).toMatchObject({ generation: 2, premiumDisk: true });
  });

  it('is not fooled by names that every object has', () => {
    expect(machineOf('aws', 'constructor')).toBeUndefined();
    expect(azureMachineOf('toString')).toEqual({ generation: 2, premiumDisk: false });
  });
});
