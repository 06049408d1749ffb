// Faults of arguments as the Pulumi engine shows them, in every language.
import * as pulumi from '@pulumi/pulumi';
import type { Fault } from '../protocol/errors.js';

/** Throws one error with all faults, or does nothing when there are none. */
export function throwFaults(type: string, name: string, faults: readonly [Fault, ...Fault[]]): never;
export function throwFaults(type: string, name: string, faults: readonly Fault[]): void;
export function throwFaults(type: string, name: string, faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  const count = faults.length === 1 ? '1 argument is wrong' : `${String(faults.length)} arguments are wrong`;
  const lines = faults.map(({ path, reason }) => `  ${path}: ${reason}`);
  throw new pulumi.InputPropertiesError({
    message: `${type} "${name}" (INVALID_ARGUMENT): ${count}\n${lines.join('\n')}`,
    errors: faults.map(({ path, reason }) => ({ propertyPath: path, reason })),
  });
}
