// Run logs on the standard output of a pod's containers: for `kubectl logs`, and for what collects the logs of a cluster.
import { messageOf, PoolwrightError } from '../../../protocol/errors.js';
import type { Assignment } from '../../../protocol/messages.js';
import { createRunPrinter, type RunPrinter } from '../../run/printer.js';
import { variables } from '../../settings/variables.js';
import { readVariable, type Environment } from './given-variables.js';

/** Said once, in the settings of the container `worker`, it holds for those of the launcher, too. */
export const runLogsVariable = variables.runLogsOnStandardOutput.name;

export interface RunLogsOptions {
  readonly assignment: Pick<Assignment, 'run' | 'stack'>;
  /** The first of them that has the variable decides. */
  readonly environments: readonly Environment[];
  /** Never throws. */
  readonly write: (text: string) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}

/** Undefined where nobody asks for run logs. Throws INVALID_SETTINGS. */
export function runLogsOf({ assignment, environments, write, now }: RunLogsOptions): RunPrinter | undefined {
  const decides = environments.find((environment) => (environment[runLogsVariable] ?? '') !== '') ?? {};
  return wanted(decides) ? createRunPrinter(write, now)(assignment) : undefined;
}

function wanted(environment: Environment): boolean {
  try {
    return readVariable(variables.runLogsOnStandardOutput, environment);
  } catch (error) {
    throw new PoolwrightError('INVALID_SETTINGS', `${runLogsVariable}: ${messageOf(error)}`);
  }
}
