// The one table of the variables that the launcher reads. The reader and `launcher --help` are made from it.
import { loadPrivateKey } from '../../protocol/keys.js';
import { readReleaseKeys } from '../../protocol/release-signing.js';
import { decodeToken } from '../../protocol/token.js';
import { parseTimeout } from '../../protocol/duration.js';
import { readProxy } from '../network/proxies.js';
import { define } from './variable.js';
import {
  readBoolean,
  readEndpoint,
  readMounts,
  readName,
  readNames,
  readOptionalName,
  readPassedVariables,
  readPath,
  readPort,
  readWord,
} from './values.js';

export const variables = {
  token: define({
    name: 'SPACELIFT_TOKEN',
    meaning: 'The worker pool token, as shown when the pool was created or reset.',
    default: undefined,
    read: decodeToken,
  }),
  privateKey: define({
    name: 'SPACELIFT_POOL_PRIVATE_KEY',
    meaning: "The pool's private key: base64 on one line of the whole PEM file.",
    default: undefined,
    read: loadPrivateKey,
  }),
  dockerConfigDirectory: define({
    name: 'SPACELIFT_DOCKER_CONFIG_DIR',
    meaning: 'Folder with the Docker configuration that holds registry credentials.',
    default: '',
    read: readPath,
  }),
  maskedVariables: define({
    name: 'SPACELIFT_MASK_ENVS',
    meaning: 'Comma list of variables whose values never appear in logs.',
    default: '',
    read: readNames,
  }),
  sensitiveOutputs: define({
    name: 'SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED',
    meaning:
      'Report sensitive outputs of stacks, too, sealed for the pool, so that stacks which depend on them get their values.',
    default: 'false',
    read: readBoolean,
  }),
  runLogsOnStandardOutput: define({
    name: 'SPACELIFT_RUN_LOGS_ON_STANDARD_OUTPUT_ENABLED',
    meaning: 'Write run logs to standard output too, as JSON lines with run_ulid, stack_id, ts and msg.',
    default: 'false',
    read: readBoolean,
  }),
  network: define({
    name: 'SPACELIFT_WORKER_NETWORK',
    meaning: 'Docker network of run containers, by name or id.',
    default: 'bridge',
    read: readName,
  }),
  mounts: define({
    name: 'SPACELIFT_WORKER_EXTRA_MOUNTS',
    meaning: 'Comma list of /host/path:/container/path for the containers of all runs.',
    default: '',
    read: readMounts,
  }),
  readMounts: define({
    name: 'SPACELIFT_WORKER_RO_EXTRA_MOUNTS',
    meaning: 'The same, only in read runs (proposed and testing runs).',
    default: '',
    read: readMounts,
  }),
  writeMounts: define({
    name: 'SPACELIFT_WORKER_WO_EXTRA_MOUNTS',
    meaning: 'The same, only in write runs (tracked runs, tasks, destroying runs).',
    default: '',
    read: readMounts,
  }),
  runtime: define({
    name: 'SPACELIFT_WORKER_RUNTIME',
    meaning: 'OCI runtime of run containers, such as runsc.',
    default: '',
    noDefault: "the engine's own",
    read: readOptionalName,
  }),
  passedVariables: define({
    name: 'SPACELIFT_WHITELIST_ENVS',
    meaning:
      "Comma list of variables that runs get from the launcher's environment. ro_NAME passes NAME to read runs only, wo_NAME to write runs only.",
    default: '',
    read: readPassedVariables,
  }),
  silenceTimeout: define({
    name: 'SPACELIFT_LAUNCHER_LOGS_TIMEOUT',
    meaning: 'A run that prints nothing for this long is killed (duration, such as 7m or 1h30m).',
    default: '7m',
    read: parseTimeout,
  }),
  runTimeout: define({
    name: 'SPACELIFT_LAUNCHER_RUN_TIMEOUT',
    meaning: 'A run that takes longer than this is killed (duration).',
    default: '70m',
    read: parseTimeout,
  }),
  initializationPolicy: define({
    name: 'SPACELIFT_LAUNCHER_RUN_INITIALIZATION_POLICY',
    meaning:
      'Path of a Rego policy (package spacelift, deny) that each run is held to before it is prepared. See launcher policy --help.',
    default: '',
    read: readPath,
  }),
  defaultImage: define({
    name: 'SPACELIFT_DEFAULT_RUNNER_IMAGE',
    meaning: 'Image of run containers when the stack names none.',
    default: 'public.ecr.aws/spacelift/runner-terraform:latest',
    read: readName,
  }),
  debug: define({
    name: 'SPACELIFT_DEBUG',
    meaning: 'Write the exact commands of a run into its log.',
    default: 'false',
    read: readBoolean,
  }),
  executor: define({
    name: 'POOLWRIGHT_EXECUTOR',
    meaning:
      'Where runs are executed: docker, host (processes of this machine, without isolation), or auto (docker, or host when no engine answers at start).',
    default: 'docker',
    read: readWord(['docker', 'host', 'auto'] as const),
  }),
  stateDirectory: define({
    name: 'POOLWRIGHT_STATE_DIR',
    meaning: 'Folder for log spools and workspaces of runs. Several launchers may share one.',
    default: '',
    noDefault: '/var/lib/poolwright for root, otherwise $XDG_STATE_HOME/poolwright',
    read: readPath,
  }),
  logFormat: define({
    name: 'POOLWRIGHT_LOG_FORMAT',
    meaning: "The launcher's own log: json or pretty.",
    default: '',
    noDefault: 'pretty on a terminal, otherwise json',
    read: (text) => (text === '' ? null : readWord(['json', 'pretty'] as const)(text)),
  }),
  cloud: define({
    name: 'POOLWRIGHT_CLOUD',
    meaning:
      'The cloud of this machine, aws, azure or google: its notices of scale-in, preemption and maintenance make the launcher finish its run and leave.',
    default: '',
    noDefault: 'none, nothing is listened to',
    read: (text) => (text === '' ? null : readWord(['aws', 'azure', 'google'] as const)(text)),
  }),
  scaleInProtection: define({
    name: 'POOLWRIGHT_SCALE_IN_PROTECTION',
    meaning:
      'Protect this machine from scale-in while it has a run. On EC2 and Azure, with POOLWRIGHT_CLOUD.',
    default: 'true',
    read: readBoolean,
  }),
  lifecycleHook: define({
    name: 'POOLWRIGHT_LIFECYCLE_HOOK',
    meaning:
      "EC2: name of the Auto Scaling group's hook on terminating instances, which the launcher answers.",
    default: '',
    read: readOptionalName,
  }),
  identityClientId: define({
    name: 'POOLWRIGHT_AZURE_CLIENT_ID',
    meaning: "Azure: client id of the machine's identity by which it protects itself.",
    default: '',
    noDefault: 'the only one',
    read: readOptionalName,
  }),
  metadataEndpoint: define({
    name: 'POOLWRIGHT_METADATA_ENDPOINT',
    meaning: "Address of the cloud's metadata service.",
    default: '',
    noDefault: 'http://169.254.169.254',
    read: readEndpoint,
  }),
  apiEndpoint: define({
    name: 'POOLWRIGHT_CLOUD_ENDPOINT',
    meaning: 'Address of EC2 Auto Scaling or the Azure resource manager, such as a private endpoint.',
    default: '',
    noDefault: "the cloud's public one",
    read: readEndpoint,
  }),
  healthPort: define({
    name: 'POOLWRIGHT_HEALTH_PORT',
    meaning:
      'Port on 127.0.0.1 where GET /health answers 200 or 503 with the state of the connection as JSON, and GET /metrics gives figures for Prometheus.',
    default: '',
    read: readPort,
  }),
  disconnectedLimit: define({
    name: 'POOLWRIGHT_DISCONNECTED_TIMEOUT',
    meaning:
      'A launcher that was not connected for this long and has no run ends with exit code 3, so that its machine is replaced (duration).',
    default: '',
    noDefault: 'never',
    read: (text) => (text === '' ? null : parseTimeout(text)),
  }),
  updateKeys: define({
    name: 'POOLWRIGHT_UPDATE_KEY',
    meaning:
      'Public key (Ed25519, base64; several with commas between) of whoever may release launchers for this pool. With it the launcher takes releases that are signed so, when it has no run. See poolwright launcher --help.',
    default: '',
    noDefault: 'none, no release is ever taken',
    read: readReleaseKeys,
  }),
  updateProbation: define({
    name: 'POOLWRIGHT_UPDATE_PROBATION',
    meaning: 'A new version that is not connected within this is given up for the one before it (duration).',
    default: '2m',
    read: parseTimeout,
  }),
  endWithParent: define({
    name: 'POOLWRIGHT_END_WITH_PARENT',
    meaning: 'End, and stop the run, when standard input ends: for programs that start launchers.',
    default: 'false',
    read: readBoolean,
  }),
  httpsProxy: define({
    name: 'HTTPS_PROXY',
    alias: 'https_proxy',
    meaning:
      'HTTP proxy for the connection to the broker, the API by https, and Git: http://[user:password@]host:port.',
    default: '',
    read: readProxy,
  }),
  httpProxy: define({
    name: 'HTTP_PROXY',
    alias: 'http_proxy',
    meaning: 'The same for plain http.',
    default: '',
    read: readProxy,
  }),
  noProxy: define({
    name: 'NO_PROXY',
    alias: 'no_proxy',
    meaning:
      'Comma list of what is reached without a proxy: host.example, .domain.example, address, range such as 10.0.0.0/8, any with :port, or *. This machine itself never goes by one.',
    default: '',
    read: (text) => text,
  }),
} as const;
