// The arguments that pools on virtual machines share: the same names for the same things on every cloud.
import type { Input } from '@pulumi/pulumi';

/** How many workers a pool has. A worker processes one run at a time, so this is the pool's concurrency. */
export interface PoolSize {
  /** Fewest workers, 0 or more. */
  min: number;
  /** Most workers: 1 or more, not below min. */
  max: number;
  /**
   * Workers at the first deployment. When given, every deployment sets the pool to it; when left out, the pool starts
   * with min and later deployments leave alone what an autoscaler or a person has set.
   */
  desired?: number;
}

/** The address at which workers reach the Git hosts of a VCS agent pool. */
export interface PrivateVcsMapping {
  /** Name of the VCS agent pool. */
  name: Input<string>;
  /** With protocol, such as `https://git.internal`. */
  baseEndpoint: Input<string>;
}

/** The launcher program and its settings: every variable of its environment, and where the program comes from. */
export interface LauncherArgs {
  /**
   * Which launcher the workers run: `bundled` (the one in this package, kept in a private bucket and pinned by its
   * SHA-256), `hosted` (the hosted service's published binary, its signature checked), or `selfHosted` (a binary in a
   * bucket of yours, see binaryLocation). Default: `bundled`.
   */
  distribution?: string;
  /**
   * With `selfHosted`: where the binary is. AWS `s3://bucket/key`, Azure the blob's `https` address, Google Cloud
   * `gs://bucket/object`. The workers' own identity is given the right to read it.
   */
  binaryLocation?: Input<string>;
  /** With `selfHosted`: SHA-256 of the binary, hexadecimal. Workers start nothing else. */
  binarySha256?: Input<string>;
  /** Folder on the worker with the Docker configuration that holds registry credentials. */
  dockerConfigDir?: Input<string>;
  /** Names of variables whose values never appear in logs. */
  maskEnvs?: Input<Input<string>[]>;
  /** Upload sensitive outputs of runs, for stacks that depend on them. Default: false. */
  sensitiveOutputUploadEnabled?: boolean;
  /** Write run logs to the worker's journal too, as JSON lines. Default: false. */
  runLogsOnStandardOutputEnabled?: boolean;
  /** Docker network of run containers. Default: `bridge`. */
  workerNetwork?: Input<string>;
  /** `/host/path:/container/path`, for the containers of all runs. */
  workerExtraMounts?: Input<Input<string>[]>;
  /** The same, only in read runs (proposed and testing runs). */
  workerRoExtraMounts?: Input<Input<string>[]>;
  /** The same, only in write runs (tracked runs, tasks, destroying runs). */
  workerWoExtraMounts?: Input<Input<string>[]>;
  /** OCI runtime of run containers, such as `runsc`. Default: the engine's own. */
  workerRuntime?: Input<string>;
  /**
   * Names of variables that runs get from the launcher's environment; `ro_NAME` passes NAME to read runs only,
   * `wo_NAME` to write runs only.
   */
  whitelistEnvs?: Input<Input<string>[]>;
  /** A run that prints nothing for this long is killed. Go duration such as `7m` or `1h30m`. Default: `7m`. */
  logsTimeout?: Input<string>;
  /** A run that takes longer than this is killed. Go duration. Default: `70m`. */
  runTimeout?: Input<string>;
  /** Text of a Rego policy (`package spacelift`, `deny[msg]`) that every run must pass before it starts. */
  runInitializationPolicy?: Input<string>;
  /** Image of run containers when the stack names none. Default: `public.ecr.aws/spacelift/runner-terraform:latest`. */
  defaultRunnerImage?: Input<string>;
  /** Write the exact commands of a run into its log. Default: false. */
  debug?: boolean;
  /** Tags that workers register with, next to those that tell the instance. Keys: letters, digits and underscores. */
  metadata?: Record<string, Input<string>>;
  /** Addresses of private Git hosts. */
  privateVcsMappings?: PrivateVcsMapping[];
  /**
   * Further variables of the launcher's environment, such as those named by whitelistEnvs. They are readable by
   * whoever may read the machine's user data, so a secret value is refused: export it in startupScript instead.
   */
  environment?: Record<string, Input<string>>;
}

/** HTTP proxies, for the launcher, the Docker engine, package installation and runs. */
export interface ProxyArgs {
  /** Proxy of plain HTTP requests, such as `http://proxy.internal:3128`. */
  http?: Input<string>;
  /** Proxy of HTTPS requests. */
  https?: Input<string>;
  /** Hosts, domains (`.internal`) and networks that are reached directly. The metadata service always is. */
  no?: Input<Input<string>[]>;
}

/**
 * Lets a deployment end only when workers of it are there. It asks the control plane from where the deployment runs, and
 * fails with the machines that did not come up. Previews do not wait.
 */
export interface WaitForWorkers {
  /** How many workers of this deployment must be connected and not drained: 1 or more, not above size.max. */
  count: number;
  /** Address of the control plane's API, such as `https://poolwright.example.com`. */
  endpoint: Input<string>;
  /** Id of an API key that may see the pool. */
  apiKeyId: Input<string>;
  /** The key's secret. */
  apiKeySecret: Input<string>;
  /** Id of the worker pool. */
  workerPool: Input<string>;
  /** Minutes until the deployment fails. Default: 15. */
  timeoutMinutes?: number;
}

/** What every pool on virtual machines takes. */
export interface WorkerPoolArgs {
  /** The worker pool token, as given when the pool was created or reset. With privateKey; or give credentials. */
  token?: Input<string>;
  /** The pool's private key: the PEM text, or base64 of it on one line. */
  privateKey?: Input<string>;
  /**
   * An existing secret with `SPACELIFT_TOKEN` and `SPACELIFT_POOL_PRIVATE_KEY` as a JSON object, in the place of token
   * and privateKey. AWS: ARN of a Secrets Manager secret. Azure: address of a Key Vault secret. Google Cloud:
   * `projects/P/secrets/S`.
   */
  credentials?: Input<string>;
  /** How many workers. Default: one. */
  size?: PoolSize;
  /** `x86_64` or `arm64`. Default: that of the machine type, else `x86_64`. */
  architecture?: string;
  /** The cloud's name of the machine type; at least 2 vCPU and 2 GB. Default: a small one of the architecture. */
  machineType?: string;
  /** Image of the machines. Default: Debian 12 of the cloud's official publisher. */
  image?: Input<string>;
  /**
   * `pinned`: the default image is resolved at the first deployment and kept, so that an image release does not
   * replace the pool by surprise. `latest`: every deployment moves to the newest. Default: `pinned`.
   */
  imageUpdates?: string;
  /** The launcher and its settings. */
  launcher?: LauncherArgs;
  /** User of the launcher: `spacelift` (UID 1983) or `root`. Default: `spacelift`. */
  runAs?: string;
  /**
   * Power the machine off when the launcher has ended, so that the group replaces it. Default: true. Set to false to
   * look at machines that do not come up.
   */
  powerOffOnExit?: boolean;
  /**
   * Replace a machine whose launcher was not connected to the control plane for this long and has no run. Go duration such
   * as `30m`, at least `1m`, or `never`. Only the bundled launcher does so. Default: `30m`.
   */
  replaceDisconnectedAfter?: string;
  /** HTTP proxies. */
  proxy?: ProxyArgs;
  /** Further root certificates in PEM, trusted by the launcher, the Docker engine, the machine and runs. */
  extraCaCertificates?: Input<Input<string>[]>;
  /**
   * A secret whose text is a shell script that runs as root before the launcher starts, at every boot; variables that
   * it exports become the launcher's. Named as credentials are.
   */
  startupScript?: Input<string>;
  /** Private registries that workers may pull from. AWS: ECR repository ARNs. Azure: resource ids of container
   * registries. Google Cloud: `projects/P/locations/L/repositories/R`. */
  dockerRegistries?: Input<Input<string>[]>;
  /** Size of the machine's disk in GB. Default: 40. */
  diskSizeGb?: number;
  /** Tags (on Google Cloud: labels) of everything that is created. */
  tags?: Input<Record<string, Input<string>>>;
  /** Subnets of the machines. Default: the cloud's default network, or one made for the pool where there is none. */
  subnetIds?: Input<Input<string>[]>;
  /** Machines that the cloud may take back at short notice, at a lower price. Default: false. */
  spot?: boolean;
  /** Give machines a public address. Default: false; they then need a way out such as a NAT gateway. */
  publicAddress?: boolean;
  /**
   * Let run containers reach the instance metadata service, and so act as the machine's own identity. Default: false:
   * the service is out of their reach.
   */
  runsUseInstanceIdentity?: boolean;
  /** End the deployment only when workers of it are there. Default: the deployment ends when the group is there. */
  waitForWorkers?: WaitForWorkers;
}
