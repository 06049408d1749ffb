// Every variable that the launcher reads, and the test that sees its effect on a real launcher, container or process.

export interface Effect {
  /** Below test/. */
  readonly file: string;
  /** Title of the test. */
  readonly test: string;
  /** The test that sees that without the variable there is nothing of its effect, where another one sees to that. */
  readonly control?: Effect;
}

const containers = (test: string): Effect => ({ file: 'launcher/options/containers.test.ts', test });
const process = (test: string): Effect => ({ file: 'launcher/options/process.test.ts', test });
const notices = (test: string): Effect => ({ file: 'launcher/notices/process.test.ts', test });
const update = (test: string): Effect => ({ file: 'faults/update.test.ts', test });
const proxy: Effect = {
  file: 'launcher/network/through-proxy.test.ts',
  test: 'runs a run to its end, and nothing goes another way',
};
const mounts = containers(
  'SPACELIFT_WORKER_EXTRA_MOUNTS are there in every run, RO_ ones in read runs, WO_ ones in write runs',
);
const mapping = containers('SPACELIFT_PRIVATEVCS_MAPPING_ rewrites the Git remote of a run');
const limits = process(
  'SPACELIFT_LAUNCHER_LOGS_TIMEOUT ends a run that is silent, SPACELIFT_LAUNCHER_RUN_TIMEOUT one that goes on',
);
const azure = process(
  'POOLWRIGHT_AZURE_CLIENT_ID is the identity by which it protects its machine, unless POOLWRIGHT_SCALE_IN_PROTECTION is false',
);
const git = (test: string): Effect => ({ file: 'launcher/run/source/git.test.ts', test });
const authority = git('whose authority %s names is trusted, and no other one');
const ssh = git(
  'by ssh is fetched with the command that GIT_SSH_COMMAND names, and the agent of SSH_AUTH_SOCK',
);
const quiet = process(
  'without SPACELIFT_DEBUG and SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED prints neither commands nor run logs',
);
const instance = notices('finishes its run when the group takes it out, and completes the hook after that');

/** What the guide for workers promises; users have these in their machines' environment. */
export const contract: Readonly<Record<string, Effect>> = {
  SPACELIFT_TOKEN: {
    file: 'engine/path.test.ts',
    test: 'goes through plan and apply, on another worker when the first is drained',
  },
  SPACELIFT_POOL_PRIVATE_KEY: {
    file: 'engine/path.test.ts',
    test: 'keeps a sealed variable from the log, from the disk of the control plane, and from the API',
  },
  SPACELIFT_DOCKER_CONFIG_DIR: {
    file: 'launcher/options/registry.test.ts',
    test: 'SPACELIFT_DOCKER_CONFIG_DIR holds the credentials by which images are pulled',
  },
  SPACELIFT_MASK_ENVS: containers('SPACELIFT_MASK_ENVS keeps values out of the log and of standard output'),
  SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED: {
    file: 'engine/outputs.test.ts',
    test: 'SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED hands sensitive ones on, sealed for the pool',
  },
  SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED: {
    ...containers('SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED prints run logs as JSON lines'),
    control: quiet,
  },
  SPACELIFT_WORKER_NETWORK: containers('SPACELIFT_WORKER_NETWORK is the network that runs are in'),
  SPACELIFT_WORKER_EXTRA_MOUNTS: mounts,
  SPACELIFT_WORKER_RO_EXTRA_MOUNTS: mounts,
  SPACELIFT_WORKER_WO_EXTRA_MOUNTS: mounts,
  SPACELIFT_WORKER_RUNTIME: containers('SPACELIFT_WORKER_RUNTIME is the OCI runtime of their containers'),
  SPACELIFT_WHITELIST_ENVS: containers(
    'SPACELIFT_WHITELIST_ENVS passes variables to every run, ro_ ones to read runs, wo_ ones to write runs',
  ),
  SPACELIFT_LAUNCHER_LOGS_TIMEOUT: limits,
  SPACELIFT_LAUNCHER_RUN_TIMEOUT: limits,
  SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY: {
    file: 'launcher/policy/policy.test.ts',
    test: 'fails a denied run before its workspace is prepared, and runs others',
  },
  SPACELIFT_DEFAULT_RUNNER_IMAGE: containers(
    'SPACELIFT_DEFAULT_RUNNER_IMAGE is the image of a stack that names none',
  ),
  SPACELIFT_DEBUG: { ...containers('SPACELIFT_DEBUG writes the commands into the log'), control: quiet },
  'SPACELIFT_METADATA_<key>': containers('SPACELIFT_METADATA_ tags are those of the worker'),
  'SPACELIFT_PRIVATEVCS_MAPPING_NAME_<n>': mapping,
  'SPACELIFT_PRIVATEVCS_MAPPING_BASE_ENDPOINT_<n>': mapping,
};

/** What is Poolwright's own, or every program's. */
export const own: Readonly<Record<string, Effect>> = {
  POOLWRIGHT_EXECUTOR: { file: 'engine/path.test.ts', test: 'happens in a container' },
  POOLWRIGHT_STATE_DIR: process('POOLWRIGHT_STATE_DIR is where it keeps what it has of runs'),
  POOLWRIGHT_LOG_FORMAT: process('POOLWRIGHT_LOG_FORMAT is the form of its own log'),
  POOLWRIGHT_CLOUD: instance,
  POOLWRIGHT_SCALE_IN_PROTECTION: azure,
  POOLWRIGHT_LIFECYCLE_HOOK: instance,
  POOLWRIGHT_AZURE_CLIENT_ID: azure,
  POOLWRIGHT_METADATA_ENDPOINT: instance,
  POOLWRIGHT_CLOUD_ENDPOINT: instance,
  POOLWRIGHT_HEALTH_PORT: notices('says on the loopback address how it is'),
  POOLWRIGHT_DISCONNECTED_TIMEOUT: notices('ends by itself with exit code 3 and the cause'),
  POOLWRIGHT_UPDATE_KEY: update('is refused when somebody else has signed it'),
  POOLWRIGHT_UPDATE_PROBATION: update('is given up when the new version %s'),
  POOLWRIGHT_END_WITH_PARENT: process('POOLWRIGHT_END_WITH_PARENT makes it end with its standard input'),
  HTTPS_PROXY: proxy,
  HTTP_PROXY: proxy,
  NO_PROXY: { ...proxy, test: 'keeps what it names from the proxy, and nothing else' },
  DOCKER_HOST: {
    file: 'engine/causes.test.ts',
    test: 'but waits, and says why, while no worker has an engine that answers',
  },
  NODE_EXTRA_CA_CERTS: authority,
  SSL_CERT_FILE: authority,
  GIT_SSL_CAINFO: authority,
  GIT_SSH_COMMAND: ssh,
  SSH_AUTH_SOCK: ssh,
  POOLWRIGHT_POLICY_ENGINE: {
    file: 'launcher/policy/policy.test.ts',
    test: 'check tries a policy on an input',
  },
};
