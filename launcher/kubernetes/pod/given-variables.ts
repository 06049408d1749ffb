// Which variables a run in a pod gets, and which are masked: those of the container worker reach it by themselves, those of
// launcher-grpc where SPACELIFT_WHITELIST_ENVS names them, as a launcher on a machine passes its own.
import { isReadRun, type RunType } from '../../../protocol/runs.js';
import type { Settings } from '../../settings/settings.js';
import { variables } from '../../settings/variables.js';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface GivenVariables {
  /** Of the worker, and what the server passes on or masks. */
  readonly environment: Readonly<Record<string, string>>;
  readonly passed: Settings['passedVariables'];
  readonly masked: Settings['maskedVariables'];
  /** Names of the worker's that this kind of run does not get: `ro_NAME` in a write run, `wo_NAME` in a read run. */
  readonly withheld: readonly string[];
}

/** `worker`: what the worker said of its own. `server`: of launcher-grpc. Throws INVALID_SETTINGS. */
export function givenVariables(
  worker: Readonly<Record<string, string>>,
  server: Environment,
  runType: RunType,
): GivenVariables {
  const kind = isReadRun(runType) ? 'read' : 'write';
  const passed = readVariable(variables.passedVariables, server);
  const masked = [worker, server].flatMap((environment) =>
    readVariable(variables.maskedVariables, environment),
  );
  const environment: Record<string, string> = {};
  for (const name of [...passed.map((variable) => variable.name), ...masked]) {
    const value = server[name];
    if (value !== undefined) environment[name] = value;
  }
  return {
    environment: { ...environment, ...worker },
    passed,
    masked,
    withheld: readVariable(variables.passedVariables, worker)
      .filter(({ runs }) => runs !== 'all' && runs !== kind)
      .map(({ name }) => name),
  };
}

export interface Variable<Value> {
  readonly name: string;
  readonly default: string | undefined;
  readonly read: (text: string) => Value;
}

/** An empty one counts as not given. */
export function readVariable<Value>(
  { name, default: otherwise, read }: Variable<Value>,
  environment: Environment,
): Value {
  const given = environment[name] ?? '';
  return read(given === '' ? (otherwise ?? '') : given);
}
