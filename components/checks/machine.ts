// The check of a machine's type and architecture against the table of known types.
import type { Fault } from '../../protocol/errors.js';
import type { Architecture } from '../launcher-artifact.js';
import { defaultMachine, least, machineOf, type Cloud } from '../machines.js';

export interface ChosenMachine {
  readonly machineType: string;
  readonly architecture: Architecture;
}

/** Architecture and type follow each other; what contradicts itself or is too small is a fault, the unknown a warning. */
export function checkMachine(
  cloud: Cloud,
  args: { readonly architecture?: string; readonly machineType?: string },
  faults: Fault[],
  warnings: string[],
): ChosenMachine {
  const { architecture, machineType } = args;
  if (architecture !== undefined && architecture !== 'x86_64' && architecture !== 'arm64') {
    faults.push({
      path: 'architecture',
      reason: `expected "x86_64" or "arm64", got ${JSON.stringify(architecture)}`,
    });
    return { machineType: machineType ?? defaultMachine[cloud].x86_64, architecture: 'x86_64' };
  }
  if (machineType === undefined) {
    const chosen = architecture ?? 'x86_64';
    return { machineType: defaultMachine[cloud][chosen], architecture: chosen };
  }
  const machine = machineOf(cloud, machineType);
  if (machine === undefined) {
    warnings.push(
      `machineType ${JSON.stringify(machineType)} is not in the table of known types: neither its size (at least ` +
        `${String(least.vcpu)} vCPU and ${String(least.memory)} GB) nor its architecture was checked`,
    );
    return { machineType, architecture: architecture ?? 'x86_64' };
  }
  if (machine.vcpu < least.vcpu || machine.memory < least.memory) {
    faults.push({
      path: 'machineType',
      reason:
        `${machineType} has ${String(machine.vcpu)} vCPU and ${String(machine.memory)} GB; a worker needs at least ` +
        `${String(least.vcpu)} vCPU and ${String(least.memory)} GB. The smallest default is ${defaultMachine[cloud][machine.architecture]}`,
    });
  }
  if (architecture !== undefined && architecture !== machine.architecture) {
    faults.push({
      path: 'architecture',
      reason: `is ${architecture}, but ${machineType} is ${machine.architecture}. Leave one of the two out`,
    });
  }
  return { machineType, architecture: machine.architecture };
}
