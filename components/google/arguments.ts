// What only Google Cloud has.
import type { Input } from '@pulumi/pulumi';
import type { WorkerPoolArgs } from '../arguments.js';

/** How machines are exchanged when their template has changed. */
export interface MigUpdatePolicy {
  /** `PROACTIVE` exchanges machines at once, `OPPORTUNISTIC` when something else replaces them. Default: `PROACTIVE`. */
  type?: string;
  /** Machines above the size while exchanging: at least the number of zones. Default: the number of zones. */
  maxSurge?: number;
  /** Machines below the size while exchanging: 0, or at least the number of zones. Default: 0. */
  maxUnavailable?: number;
}

/** Options that only Google Cloud has. */
export interface MigNativeArgs {
  /** How machines are exchanged when their template has changed. Default: at once, new ones first. */
  updatePolicy?: MigUpdatePolicy;
  /** Zones of the region to use, such as `europe-west4-a`. Default: Google's choice of three. */
  zones?: string[];
  /** E-mail of an existing service account for the machines, in the place of a new one. */
  serviceAccountEmail?: Input<string>;
  /** Network tags of the machines. */
  networkTags?: Input<Input<string>[]>;
  /** Type of the disks. Default: `hyperdisk-balanced` for C4, C4A and N4, which take no other, else `pd-balanced`. */
  diskType?: Input<string>;
  /** Customer-managed key of the disks: `projects/P/locations/L/keyRings/R/cryptoKeys/K`. */
  kmsKeyName?: Input<string>;
}

export interface MigWorkerPoolArgs extends WorkerPoolArgs {
  /** Region of the pool, such as `europe-west4`. */
  region: Input<string>;
  /** What only Google Cloud has. */
  google?: MigNativeArgs;
}
