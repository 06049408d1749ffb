// The launcher's options as the variables of its environment.
import type { Unwrap } from '@pulumi/pulumi';
import type { LauncherArgs } from './arguments.js';

export type LauncherOptions = Unwrap<LauncherArgs>;

/** Only what was given: for the rest, the launcher has its own defaults. */
export function launcherEnvironment(options: LauncherOptions): Record<string, string> {
  const values: Record<string, string | undefined> = {
    ...options.environment,
    SPACELIFT_DOCKER_CONFIG_DIR: options.dockerConfigDir,
    SPACELIFT_MASK_ENVS: options.maskEnvs?.join(','),
    SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED: flag(options.sensitiveOutputUploadEnabled),
    SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED: flag(options.runLogsOnStandardOutputEnabled),
    SPACELIFT_WORKER_NETWORK: options.workerNetwork,
    SPACELIFT_WORKER_EXTRA_MOUNTS: options.workerExtraMounts?.join(','),
    SPACELIFT_WORKER_RO_EXTRA_MOUNTS: options.workerRoExtraMounts?.join(','),
    SPACELIFT_WORKER_WO_EXTRA_MOUNTS: options.workerWoExtraMounts?.join(','),
    SPACELIFT_WORKER_RUNTIME: options.workerRuntime,
    SPACELIFT_WHITELIST_ENVS: options.whitelistEnvs?.join(','),
    SPACELIFT_LAUNCHER_LOGS_TIMEOUT: options.logsTimeout,
    SPACELIFT_LAUNCHER_RUN_TIMEOUT: options.runTimeout,
    SPACELIFT_DEFAULT_RUNNER_IMAGE: options.defaultRunnerImage,
    SPACELIFT_DEBUG: flag(options.debug),
    ...prefixed('SPACELIFT_METADATA_', options.metadata ?? {}),
    ...mappings(options.privateVcsMappings ?? []),
  };
  return Object.fromEntries(
    Object.entries(values).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
    ),
  );
}

function flag(value: boolean | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function prefixed(prefix: string, values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [prefix + key, value]));
}

function mappings(list: NonNullable<LauncherOptions['privateVcsMappings']>): Record<string, string> {
  return Object.fromEntries(
    list.flatMap(({ name, baseEndpoint }, index) => [
      [`SPACELIFT_PRIVATEVCS_MAPPING_NAME_${String(index)}`, name],
      [`SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_${String(index)}`, baseEndpoint],
    ]),
  );
}
