// What a boot script is made of. Nothing in it is secret: whoever may read a machine's user data reads all of it.
import type { Cloud } from '../machines.js';

export type Distribution = 'bundled' | 'hosted' | 'selfHosted';

export interface BootSettings {
  readonly cloud: Cloud;
  readonly launcher: {
    readonly distribution: Distribution;
    /** Content hash of ours, or what tells other launchers apart. Only shown. */
    readonly version: string;
    /** Where the machine fetches it by its own identity; ours is compressed with gzip. Empty for the hosted one. */
    readonly url: string;
    /** Of the program, hexadecimal. Empty for the hosted one, whose checksum is signed instead. */
    readonly sha256: string;
  };
  /** Reference of the secret with token and private key. */
  readonly credentials: string;
  /** Changes when what the secret holds has changed, so that machines are replaced. Not secret itself. */
  readonly credentialsVersion: string;
  /** Reference of a secret whose text is a script, or null. */
  readonly startupScript: string | null;
  /** Variables of the launcher. */
  readonly environment: Readonly<Record<string, string>>;
  /** Text of a policy in Rego, or null. */
  readonly policy: string | null;
  readonly runAs: 'spacelift' | 'root';
  readonly powerOff: boolean;
  readonly proxy: { readonly http?: string; readonly https?: string; readonly no: readonly string[] } | null;
  /** PEM texts. */
  readonly extraCaCertificates: readonly string[];
  /** Hosts of the cloud's registries that the machine's identity may pull from. */
  readonly registries: readonly string[];
  /** Keep the metadata service out of reach of runs. */
  readonly blockMetadata: boolean;
  /** How long a stop of the launcher may take: it lets its run finish. */
  readonly stopSeconds: number;
  /** What our launcher does for its machine; null for other launchers, which do not. */
  readonly life: MachineLife | null;
  /** Azure: which of the machine's identities to use. */
  readonly identityClientId?: string;
}

export interface MachineLife {
  /** Go duration, or null for never. */
  readonly disconnectedTimeout: string | null;
  /** EC2: name of the group's hook, or null for none. */
  readonly lifecycleHook: string | null;
  /** Whether the machine may protect itself from scale-in. */
  readonly scaleInProtection: boolean;
  /** Port of the launcher's endpoint, or null for none. */
  readonly healthPort: number | null;
  /** The group replaces machines whose endpoint does not answer; one that is powered off it would leave alone. */
  readonly replacedByHealth: boolean;
}
