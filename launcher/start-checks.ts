// What can be found wrong before a launcher has started anything, told all at once: values, and what they name on this
// machine and in its container engine.
import { PoolwrightError, type Fault } from '../protocol/errors.js';
import { assertOffered } from './executors/docker-offers.js';
import { assertConfigDirectory } from './executors/registry-credentials.js';
import { openPolicy, type Policy } from './policy/policy.js';
import { settingsError, type ExaminedSettings } from './settings/read.js';
import type { Settings } from './settings/settings.js';
import { variables } from './settings/variables.js';
import { writablePlace } from './state-folder.js';

export interface Checked {
  readonly settings: Settings;
  /** Null when there is none. */
  readonly policy: Policy | null;
}

/**
 * Throws INVALID_SETTINGS with every fault that can be seen at once, UNSUPPORTED when that is the only one. What depends on
 * a value with a fault is not looked at. The engine is asked only when there are faults already: a start without any asks it
 * later, when the executor is chosen, and once.
 */
export async function checkStart(
  { settings, values, faults }: ExaminedSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Checked> {
  const isFaulty = ({ name }: { readonly name: string }) => faults.some(({ path }) => path === name);
  const { containers, initializationPolicy: file, stateDirectory: folder } = values;
  const needsContainers = !isFaulty(variables.executor) && values.executor !== 'host';
  const hasFolder = !isFaulty(variables.stateDirectory);
  const errors: PoolwrightError[] = [];
  const check = async <Value>(checking: Promise<Value>): Promise<Value | null> =>
    checking.catch((error: unknown) => {
      if (!(error instanceof PoolwrightError)) throw error;
      errors.push(error);
      return null;
    });

  const [policy] = await Promise.all([
    file === null || !hasFolder ? null : check(openPolicy({ file, environment, folder })),
    hasFolder ? check(writablePlace(folder)) : null,
    needsContainers ? check(assertConfigDirectory(containers.dockerConfigDirectory)) : null,
  ]);
  if (settings !== undefined && errors.length === 0) return { settings, policy };

  if (needsContainers) await check(assertOffered(environment['DOCKER_HOST'], containers));
  // Whether an engine that is away has what the settings name is seen when it answers.
  const told = errors.filter(({ code }) => code !== 'ENGINE_UNAVAILABLE');
  const [only] = told;
  if (faults.length === 0 && told.length === 1 && only !== undefined) throw only;
  throw settingsError([...faults, ...told.flatMap(faultsOf)]);
}

/** Those without a list are of the policy: it cannot be read, or there is nothing to read it. */
function faultsOf(error: PoolwrightError): readonly Fault[] {
  return error.faults.length > 0
    ? error.faults
    : [{ path: variables.initializationPolicy.name, reason: error.message }];
}
