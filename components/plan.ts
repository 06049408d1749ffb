// What a pool on virtual machines will be, decided from its arguments before any resource is made.
import * as pulumi from '@pulumi/pulumi';
import type { Fault } from '../protocol/errors.js';
import { parseDuration } from '../protocol/duration.js';
import type { BootSettings, Distribution } from './bootstrap/settings.js';
import type { LauncherArgs, PoolSize, ProxyArgs, WorkerPoolArgs } from './arguments.js';
import { checkNames } from './argument-names.js';
import { checkCredentials, checkCredentialsGiven, encodedKey } from './checks/credentials.js';
import { checkLauncher } from './checks/launcher.js';
import { checkMachine, type ChosenMachine } from './checks/machine.js';
import { checkCertificates, checkProxy } from './checks/network.js';
import { checkDisk, checkSize } from './checks/size.js';
import { checkWord } from './checks/values.js';
import { throwFaults } from './faults.js';
import { knownPart, type Known } from './known.js';
import { checkEarly, derived, hasLate, secretsIn, settled } from './late.js';
import { launcherArtifact, type LauncherArtifact } from './launcher-artifact.js';
import { launcherEnvironment } from './launcher-environment.js';
import type { Cloud } from './machines.js';
import { registryHosts } from './registries.js';
import { checkReplacement } from './replacement.js';
import { checkWaiting } from './waiting/check.js';

/** Options of the resources of a pool: they are its component's children. */
export interface ChildOptions extends pulumi.CustomResourceOptions {
  readonly parent: pulumi.Resource;
}

/** For `dependsOn` of every resource: there when `checks` are over, so that nothing is created when one of them fails. */
export function after(checks: readonly pulumi.Output<unknown>[]): Pick<ChildOptions, 'dependsOn'> {
  const [first] = checks;
  if (first === undefined) return {};
  const all = checks.length === 1 ? first : pulumi.all([...checks]);
  return { dependsOn: all.apply((): pulumi.Resource[] => []) };
}

/**
 * Options of a resource whose inputs are outputs of one that waits for `checked`, and which so waits with it: a wait of its
 * own costs the deployer's program a dozen promises for each resource.
 */
export function afterOf({ parent }: ChildOptions): ChildOptions {
  return { parent };
}

export interface PoolPlan {
  readonly machine: ChosenMachine;
  readonly size: Required<PoolSize>;
  readonly diskSizeGb: number;
  /** Keep the default image of the first deployment. */
  readonly pinImage: boolean;
  /** The launcher in this package; null for other distributions. */
  readonly artifact: LauncherArtifact | null;
  readonly launcherVersion: string;
  /** Go duration after which a machine without a connection is replaced; null: never, or by nobody. */
  readonly disconnectedTimeout: string | null;
  /** The secret's text, as a secret; null when an existing secret is used. Fails when key and token do not match. */
  readonly credentials: pulumi.Output<string> | null;
  /** Fail when arguments whose values came late are wrong: see `after`. */
  readonly checks: readonly pulumi.Output<unknown>[];
  /** Hosts of private registries. */
  readonly registries: readonly string[] | pulumi.Output<readonly string[]>;
  /** The boot script's settings, but for what only the cloud's resources tell. */
  readonly boot: CommonBoot | pulumi.Output<CommonBoot>;
}

export type CommonBoot = Omit<
  BootSettings,
  'cloud' | 'launcher' | 'credentials' | 'credentialsVersion' | 'startupScript' | 'registries' | 'life'
> & { readonly distribution: Distribution };

/** Go durations of the launcher's own default. */
const defaultRunTimeout = '70m';

/**
 * Checks everything that is known and throws one error with all faults; `more` adds a cloud's own. What is not known
 * yet is checked in `checks`.
 */
export function planPool(
  component: {
    readonly type: string;
    readonly name: string;
    readonly cloud: Cloud;
    /** Names of arguments that only this component has. */
    readonly names: Parameters<typeof checkNames>[1];
  },
  args: WorkerPoolArgs,
  more: (faults: Fault[], plan: { readonly machine: ChosenMachine }) => void,
  warn: (message: string) => void,
): PoolPlan {
  const { type, name, cloud, names } = component;
  const faults: Fault[] = [];
  const warnings: string[] = [];
  if (!/^[A-Za-z][A-Za-z0-9-]{0,39}$/.test(name)) {
    faults.push({
      path: 'name',
      reason: 'expected 1 to 40 letters, digits and hyphens, a letter first: resources are named after it',
    });
  }
  const known = knownPart(args);
  checkNames(known, names, faults);
  checkEarly(args, faults);
  const size = checkSize(known.size, faults);
  checkWaiting(args.waitForWorkers, known.waitForWorkers, size.max, faults);
  const machine = checkMachine(
    cloud,
    withoutUndefined({ architecture: known.architecture, machineType: known.machineType }),
    faults,
    warnings,
  );
  const diskSizeGb = checkDisk(known.diskSizeGb, faults);
  const runAs = checkWord('runAs', known.runAs, ['spacelift', 'root'], faults);
  const disconnectedTimeout = checkReplacement(known.replaceDisconnectedAfter, faults);
  const updates = checkWord('imageUpdates', known.imageUpdates, ['pinned', 'latest'], faults);
  checkCredentialsGiven(
    {
      token: args.token !== undefined,
      privateKey: args.privateKey !== undefined,
      credentials: args.credentials !== undefined,
    },
    faults,
  );
  const launcher = args.launcher ?? {};
  const distribution =
    launcher.distribution === 'hosted' || launcher.distribution === 'selfHosted'
      ? launcher.distribution
      : 'bundled';
  const { token, privateKey } = known;
  const early = typeof token === 'string' && typeof privateKey === 'string' ? { token, privateKey } : null;
  if (early !== null) checkCredentials(distribution, early, faults);
  checkOptions(known, faults);
  if (distribution === 'selfHosted') {
    for (const part of ['binaryLocation', 'binarySha256'] as const) {
      if (launcher[part] === undefined) {
        faults.push({
          path: `launcher.${part}`,
          reason: 'is missing; launcher.distribution "selfHosted" needs it',
        });
      }
    }
  }
  if (Array.isArray(args.subnetIds) && args.subnetIds.length === 0) {
    faults.push({ path: 'subnetIds', reason: 'is empty; give at least one subnet, or leave it out' });
  }
  const { dockerRegistries } = args;
  const registries = derived(settled(dockerRegistries ?? []), (references): readonly string[] => {
    if (!hasLate(dockerRegistries)) return registryHosts(cloud, references, faults);
    const late: Fault[] = [];
    const hosts = registryHosts(cloud, references, late);
    throwFaults(type, name, late);
    return hosts;
  });
  more(faults, { machine });
  throwFaults(type, name, faults);
  for (const warning of warnings) warn(`${type} "${name}": ${warning}`);

  const written = { launcher, proxy: args.proxy, extraCaCertificates: args.extraCaCertificates };
  const options = derived(settled(written), (values) => {
    const late: Fault[] = [];
    if (hasLate(written)) checkOptions(values, late);
    throwFaults(type, name, late);
    return values;
  });
  const pair =
    early ??
    (args.token === undefined || args.privateKey === undefined
      ? null
      : pulumi.all([args.token, args.privateKey]).apply(([lateToken, lateKey]) => {
          const late: Fault[] = [];
          checkCredentials(distribution, { token: lateToken, privateKey: lateKey }, late);
          throwFaults(type, name, late);
          return { token: lateToken, privateKey: lateKey };
        }));
  const credentials = pair === null ? null : pulumi.secret(derived(pair, secretText));
  const artifact = distribution === 'bundled' ? launcherArtifact(machine.architecture) : null;
  if (artifact?.policyEngine === false && launcher.runInitializationPolicy !== undefined) {
    const reason = 'the launchers here were built without the engine for policies; build them where Go is';
    throwFaults(type, name, [{ path: 'launcher.runInitializationPolicy', reason }]);
  }
  return {
    machine,
    size,
    diskSizeGb,
    pinImage: updates === 'pinned' && args.image === undefined,
    artifact,
    launcherVersion: artifact?.version ?? distribution,
    disconnectedTimeout,
    credentials,
    checks: [
      ...(pulumi.Output.isInstance(options) ? [options, refuseSecrets(type, name, written)] : []),
      ...(pulumi.Output.isInstance(pair) ? [pair] : []),
      ...(pulumi.Output.isInstance(registries) ? [registries] : []),
    ],
    registries,
    boot: derived(options, (values): CommonBoot => ({
      distribution,
      environment: launcherEnvironment(values.launcher),
      policy: values.launcher.runInitializationPolicy ?? null,
      runAs,
      powerOff: args.powerOffOnExit ?? true,
      proxy:
        values.proxy === undefined ? null : { ...withoutUndefined(values.proxy), no: values.proxy.no ?? [] },
      extraCaCertificates: values.extraCaCertificates ?? [],
      blockMetadata: args.runsUseInstanceIdentity !== true,
      stopSeconds: Math.ceil(parseDuration(values.launcher.runTimeout ?? defaultRunTimeout) / 1000) + 300,
    })),
  };
}

/**
 * Name of the resource that names the machines' image. Another architecture is another resource: an image that is kept from
 * the first deployment would not start on it.
 */
export function workersOf(name: string, { machine }: PoolPlan): string {
  return machine.architecture === 'arm64' ? `${name}-workers-arm64` : `${name}-workers`;
}

function checkOptions(
  options: {
    readonly launcher?: Known<LauncherArgs>;
    readonly proxy?: Known<ProxyArgs> | undefined;
    readonly extraCaCertificates?: unknown;
  },
  faults: Fault[],
): void {
  checkLauncher(options.launcher ?? {}, faults);
  checkProxy(options.proxy, faults);
  checkCertificates(options.extraCaCertificates, faults);
}

/** The JSON text that the secret will hold. */
function secretText({ token, privateKey }: { readonly token: string; readonly privateKey: string }): string {
  return JSON.stringify({
    SPACELIFT_TOKEN: token.trim(),
    SPACELIFT_POOL_PRIVATE_KEY: encodedKey(privateKey),
  });
}

/** What ends in user data must not be a secret: there, everyone who may describe the machine reads it. */
function refuseSecrets(type: string, name: string, written: object): pulumi.Output<boolean> {
  const secrets = Object.entries(written).map(([path, value]) => secretsIn(value, path));
  return pulumi.output(Promise.all(secrets)).apply((paths) => {
    const faults = paths.flat().map((path) => ({
      path,
      reason:
        'holds a secret, and user data is readable; export it in startupScript, which is read from a secret',
    }));
    throwFaults(type, name, faults);
    return true;
  });
}

function withoutUndefined<Value extends object>(
  value: Value,
): { [Name in keyof Value]: Exclude<Value[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as {
    [Name in keyof Value]: Exclude<Value[Name], undefined>;
  };
}
