// Environment in, Settings out; or one error with every fault, so that a user mends them in one go.
import { X509Certificate } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { faultsError, messageOf, type Fault, type PoolwrightError } from '../../protocol/errors.js';
import { assertCertificateCurrent, assertKeyBelongs } from '../../protocol/keys.js';
import { readNoProxy } from '../network/no-proxy.js';
import { families, readMetadata, readVcsMappings } from './families.js';
import type { Mount, RunKind, Settings } from './settings.js';
import { firstTwice } from './values.js';
import type { Variable } from './variable.js';
import { variables } from './variables.js';

export interface Machine {
  /** Empty values count as absent. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Unix milliseconds. */
  readonly now: number;
  /** User id of this process, undefined where there are none. */
  readonly userId: number | undefined;
  readonly terminal: boolean;
}

export interface ExaminedSettings {
  /** Undefined when there are faults. */
  readonly settings: Settings | undefined;
  /** All that does without the token and the key; what has a fault has its default here. */
  readonly values: Omit<Settings, 'token' | 'privateKey'>;
  readonly faults: readonly Fault[];
  readonly warnings: readonly string[];
}

export interface ReadSettings {
  readonly settings: Settings;
  /** What the user should know though it does not keep the launcher from working. */
  readonly warnings: readonly string[];
}

/**
 * Reads and checks all settings. Throws INVALID_SETTINGS with all faults. No message holds the token, the key or another long value.
 */
export function readSettings(machine: Machine): ReadSettings {
  const { settings, faults, warnings } = examineSettings(machine);
  if (settings === undefined) throw settingsError(faults);
  return { settings, warnings };
}

export function settingsError(faults: readonly Fault[]): PoolwrightError {
  return faultsError('INVALID_SETTINGS', "The launcher's environment", faults);
}

/** Reads and checks all settings, for whoever has more to check before faults are told. */
export function examineSettings(machine: Machine): ExaminedSettings {
  const { environment } = machine;
  const faults: Fault[] = [];
  const required = <Value>(variable: Variable<Value>) => readVariable(variable, environment, faults);
  const optional = <Value>(variable: Variable<Value>) =>
    readVariable(variable, environment, faults) ?? variable.read(variable.default ?? '');

  const token = required(variables.token);
  const privateKey = required(variables.privateKey);
  if (token !== undefined && privateKey !== undefined) {
    collect(faults, variables.privateKey.name, () => {
      assertKeyBelongs(privateKey, token.certificate);
    });
  }
  const tooEarly = token !== undefined && machine.now < validFrom(token.certificate);
  if (token !== undefined && !tooEarly) {
    collect(faults, variables.token.name, () => {
      assertCertificateCurrent(token.certificate, machine.now);
    });
  }
  const values = {
    metadata: readMetadata(environment, faults),
    executor: optional(variables.executor),
    stateDirectory: optional(variables.stateDirectory) ?? defaultStateDirectory(machine),
    logFormat: optional(variables.logFormat) ?? (machine.terminal ? 'pretty' : 'json'),
    endWithParent: optional(variables.endWithParent),
    debug: optional(variables.debug),
    initializationPolicy: optional(variables.initializationPolicy),
    sensitiveOutputs: optional(variables.sensitiveOutputs),
    runLogsOnStandardOutput: optional(variables.runLogsOnStandardOutput),
    timeouts: { run: optional(variables.runTimeout), silence: optional(variables.silenceTimeout) },
    passedVariables: optional(variables.passedVariables),
    maskedVariables: optional(variables.maskedVariables),
    containers: {
      defaultImage: optional(variables.defaultImage),
      network: optional(variables.network),
      runtime: optional(variables.runtime),
      mounts: [
        ...marked(optional(variables.mounts), 'all'),
        ...marked(optional(variables.readMounts), 'read'),
        ...marked(optional(variables.writeMounts), 'write'),
      ],
      dockerConfigDirectory: optional(variables.dockerConfigDirectory),
    },
    update: { keys: optional(variables.updateKeys), probation: optional(variables.updateProbation) },
    vcsMappings: readVcsMappings(environment, faults),
    proxies: {
      https: optional(variables.httpsProxy),
      http: optional(variables.httpProxy),
      bypass: readNoProxy(optional(variables.noProxy)),
      noProxy: optional(variables.noProxy),
    },
    cloud: {
      name: optional(variables.cloud),
      scaleInProtection: optional(variables.scaleInProtection),
      lifecycleHook: optional(variables.lifecycleHook),
      identityClientId: optional(variables.identityClientId),
      metadataEndpoint: optional(variables.metadataEndpoint),
      apiEndpoint: optional(variables.apiEndpoint),
    },
    health: {
      port: optional(variables.healthPort),
      disconnectedLimit: optional(variables.disconnectedLimit),
    },
  } as const;
  for (const runs of ['read', 'write'] as const) assertDistinct(values.containers.mounts, runs, faults);
  if (faults.length > 0 || token === undefined || privateKey === undefined)
    return { settings: undefined, values, faults, warnings: [] };
  const settings = { token, privateKey, ...values };
  const warnings = [...(tooEarly ? [clockWarning] : []), ...warningsOf(settings, environment)];
  return { settings, values, faults, warnings };
}

/** Undefined when it is required and missing, or has a fault, which is then in the list. */
function readVariable<Value>(
  variable: Variable<Value>,
  environment: Machine['environment'],
  faults: Fault[],
): Value | undefined {
  const given = environment[variable.name] || (environment[variable.alias ?? ''] ?? '');
  if (given === '' && variable.default === undefined) {
    faults.push({ path: variable.name, reason: `missing. ${variable.meaning}` });
    return undefined;
  }
  return collect(faults, variable.name, () => variable.read(given === '' ? (variable.default ?? '') : given));
}

function collect<Value>(faults: Fault[], path: string, read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    faults.push({ path, reason: messageOf(error) });
    return undefined;
  }
}

/** Of the lists that come together in one kind of run; each list alone is looked at when it is read. */
function assertDistinct(
  mounts: Settings['containers']['mounts'],
  kind: 'read' | 'write',
  faults: Fault[],
): void {
  const together = mounts.filter(({ runs }) => runs === 'all' || runs === kind);
  const twice = firstTwice(together.map(({ containerPath }) => containerPath));
  if (twice === undefined) return;
  const { name } = kind === 'read' ? variables.readMounts : variables.writeMounts;
  faults.push({
    path: name,
    reason: `${variables.mounts.name} has a mount to ${JSON.stringify(twice)}, too`,
  });
}

function marked(mounts: readonly Mount[], runs: RunKind): readonly (Mount & { runs: RunKind })[] {
  return mounts.map((mount) => ({ ...mount, runs }));
}

/** The state folder that a launcher with this environment uses. Throws INVALID_SETTINGS. */
export function stateDirectoryOf(machine: Pick<Machine, 'environment' | 'userId'>): string {
  const { name, read } = variables.stateDirectory;
  return read(machine.environment[name] ?? '') ?? defaultStateDirectory(machine);
}

function defaultStateDirectory({ environment, userId }: Pick<Machine, 'environment' | 'userId'>): string {
  if (userId === 0) return '/var/lib/poolwright';
  const state = environment['XDG_STATE_HOME'];
  if (state?.startsWith('/') === true) return join(state, 'poolwright');
  return join(environment['HOME'] ?? homedir(), '.local', 'state', 'poolwright');
}

/** No fault: a machine that has just booted may not have its time yet, and soon will. */
const clockWarning =
  "By this machine's clock the pool's certificate is not valid yet. Connecting will fail until the clock is right.";

function validFrom(certificate: string): number {
  return Date.parse(new X509Certificate(certificate).validFrom);
}

const known = new Set(Object.values(variables).map(({ name }) => name));
const familyPrefixes = Object.values(families).map(({ name }) => name.slice(0, name.indexOf('<')));
/** Under these prefixes nobody else has variables, so an unknown name is a slip of the pen. */
const ownPrefixes = [
  'SPACELIFT_WORKER_',
  'SPACELIFT_LAUNCHER_',
  'SPACELIFT_PRIVATEVCS_',
  'SPACELIFT_POOL_',
  'SPACELIFT_MASK',
  'SPACELIFT_WHITELIST',
];

function warningsOf(settings: Settings, environment: Machine['environment']): readonly string[] {
  const unknown = Object.keys(environment).filter(
    (name) =>
      ownPrefixes.some((prefix) => name.startsWith(prefix)) &&
      !familyPrefixes.some((prefix) => name.startsWith(prefix)) &&
      !known.has(name),
  );
  const absent = settings.passedVariables.filter(({ name }) => environment[name] === undefined);
  return [
    ...unknown.map(
      (name) => `${name} is not a variable of the launcher and has no effect (see launcher --help).`,
    ),
    ...absent.map(
      ({ name }) => `${variables.passedVariables.name} names ${name}, which is not set: runs do not get it.`,
    ),
  ];
}
