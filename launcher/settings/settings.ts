// What a launcher was told by its environment, checked and in the types that the other rooms use.
import type { KeyObject } from 'node:crypto';
import type { PoolToken } from '../../protocol/token.js';
import type { ProxySettings } from '../network/proxies.js';

export interface Mount {
  /** Absolute. */
  readonly hostPath: string;
  /** Absolute. */
  readonly containerPath: string;
}

/** In which runs something is there: in all, only in those that change nothing, only in those that do. */
export type RunKind = 'all' | 'read' | 'write';

/** A variable that a run gets from the launcher's own environment. */
export interface PassedVariable {
  readonly name: string;
  readonly runs: RunKind;
}

/** The address at which this worker reaches the Git hosts of a VCS agent pool. */
export interface VcsMapping {
  /** Name of the VCS agent pool. */
  readonly name: string;
  /** With protocol, without a slash at its end, such as `https://git.internal`. */
  readonly baseEndpoint: string;
}

export type ExecutorChoice = 'docker' | 'host' | 'auto';

/** Which other versions of itself the launcher takes; docs/updates.md, "Updates". */
export interface UpdateSettings {
  /** Public keys that a release may be signed with; none: no release is ever taken. */
  readonly keys: readonly KeyObject[];
  /** Milliseconds within which a new version must be connected. */
  readonly probation: number;
}

export interface Settings {
  readonly token: PoolToken;
  /** The pool's key, parsed once. */
  readonly privateKey: KeyObject;
  readonly metadata: Readonly<Record<string, string>>;
  readonly executor: ExecutorChoice;
  /** Absolute. Holds the log spools and workspaces of runs. */
  readonly stateDirectory: string;
  readonly logFormat: 'json' | 'pretty';
  /** End when standard input ends: the parent process is gone. */
  readonly endWithParent: boolean;
  /** Print the exact commands of a run into its log. */
  readonly debug: boolean;
  /** Run logs also on standard output, as JSON lines. */
  readonly runLogsOnStandardOutput: boolean;
  /** Report sensitive outputs of stacks, sealed for the pool. */
  readonly sensitiveOutputs: boolean;
  /** Milliseconds. */
  readonly timeouts: { readonly run: number; readonly silence: number };
  readonly passedVariables: readonly PassedVariable[];
  /** Names of variables whose values are masked in logs. */
  readonly maskedVariables: readonly string[];
  readonly containers: ContainerSettings;
  readonly vcsMappings: readonly VcsMapping[];
  readonly proxies: ProxySettings;
  /** Path of the run initialization policy, or null. */
  readonly initializationPolicy: string | null;
  readonly cloud: CloudSettings;
  readonly health: HealthSettings;
  readonly update: UpdateSettings;
}

/** What the machine's cloud has to do with the launcher. */
export interface CloudSettings {
  /** Whose notices are listened to; null: nobody's. */
  readonly name: 'aws' | 'azure' | 'google' | null;
  /** Protect the machine from scale-in while it has a run, where the cloud has that. */
  readonly scaleInProtection: boolean;
  /** EC2: name of the group's hook on terminating instances. */
  readonly lifecycleHook: string | null;
  /** Azure: client id of the machine's identity to use. */
  readonly identityClientId: string | null;
  /** Addresses in the place of the cloud's own, with protocol. */
  readonly metadataEndpoint: string | null;
  readonly apiEndpoint: string | null;
}

export interface HealthSettings {
  /** Port of the endpoint on the loopback address; null: there is none. */
  readonly port: number | null;
  /** Milliseconds without a connection, and without a run, after which the launcher ends; null: never. */
  readonly disconnectedLimit: number | null;
}

export interface ContainerSettings {
  /** Image when the stack names none. */
  readonly defaultImage: string;
  /** Name or id of the network. */
  readonly network: string;
  /** OCI runtime, or null for the engine's own. */
  readonly runtime: string | null;
  readonly mounts: readonly (Mount & { readonly runs: RunKind })[];
  /** Folder with registry credentials (`config.json`), or null. */
  readonly dockerConfigDirectory: string | null;
}
