// The names of all arguments, for callers without types: a name that is not among them is a slip of the pen, and an
// argument that is silently left out may be a missing firewall. The compiler holds these lists to the interfaces.
import type { Fault } from '../protocol/errors.js';
import type { LauncherArgs, PoolSize, ProxyArgs, WaitForWorkers, WorkerPoolArgs } from './arguments.js';

/** Every name of an interface. */
export type Names<Args> = Readonly<Record<keyof Args, true>>;

/** The names that one component has beside the shared ones; under the name of a cloud those of its native options. */
export type OwnNames<Args> = Readonly<
  Record<Exclude<keyof Args & string, keyof WorkerPoolArgs>, true | Readonly<Record<string, true>>>
>;

const shared: Names<WorkerPoolArgs> = {
  token: true,
  privateKey: true,
  credentials: true,
  size: true,
  architecture: true,
  machineType: true,
  image: true,
  imageUpdates: true,
  launcher: true,
  runAs: true,
  powerOffOnExit: true,
  replaceDisconnectedAfter: true,
  proxy: true,
  extraCaCertificates: true,
  startupScript: true,
  dockerRegistries: true,
  diskSizeGb: true,
  tags: true,
  subnetIds: true,
  spot: true,
  publicAddress: true,
  runsUseInstanceIdentity: true,
  waitForWorkers: true,
};
export const size: Names<PoolSize> = { min: true, max: true, desired: true };
export const proxy: Names<ProxyArgs> = { http: true, https: true, no: true };
export const waitForWorkers: Names<WaitForWorkers> = {
  count: true,
  endpoint: true,
  apiKeyId: true,
  apiKeySecret: true,
  workerPool: true,
  timeoutMinutes: true,
};
const launcher: Names<LauncherArgs> = {
  distribution: true,
  binaryLocation: true,
  binarySha256: true,
  dockerConfigDir: true,
  maskEnvs: true,
  sensitiveOutputUploadEnabled: true,
  runLogsOnStandardOutputEnabled: true,
  workerNetwork: true,
  workerExtraMounts: true,
  workerRoExtraMounts: true,
  workerWoExtraMounts: true,
  workerRuntime: true,
  whitelistEnvs: true,
  logsTimeout: true,
  runTimeout: true,
  runInitializationPolicy: true,
  defaultRunnerImage: true,
  debug: true,
  metadata: true,
  privateVcsMappings: true,
  environment: true,
};

type Tree = Readonly<Record<string, true | Readonly<Record<string, true>>>>;

/** A fault for each name that a pool on machines does not have. */
export function checkNames(args: object, own: Tree, faults: Fault[]): void {
  checkAllNames(args, { ...shared, ...own }, { size, proxy, launcher, waitForWorkers, ...own }, faults);
}

/** A fault for each name that is not among the known ones, nor, below them, among those of its group. */
export function checkAllNames(args: object, known: Tree, groups: Tree, faults: Fault[]): void {
  for (const [name, value] of Object.entries(args)) {
    if (!Object.hasOwn(known, name)) {
      faults.push({
        path: name,
        reason: `is not an argument; there are ${Object.keys(known).sort().join(', ')}`,
      });
      continue;
    }
    const group = Object.hasOwn(groups, name) ? groups[name] : undefined;
    if (group === undefined || group === true || value === null || typeof value !== 'object') continue;
    for (const part of Object.keys(value as object)) {
      if (Object.hasOwn(group, part)) continue;
      faults.push({
        path: `${name}.${part}`,
        reason: `is not an argument; there are ${Object.keys(group).sort().join(', ')}`,
      });
    }
  }
}
