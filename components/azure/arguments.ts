// What only Azure has.
import type { Input } from '@pulumi/pulumi';
import type { WorkerPoolArgs } from '../arguments.js';

/** How running machines follow a change of the scale set's model, such as a new launcher or token. */
export interface VmssUpgradePolicy {
  /**
   * `Rolling`: new machines in batches, each batch healthy before the old ones go. `Manual`: running machines stay as they
   * are. Default: `Rolling` with the bundled launcher, otherwise `Manual`.
   */
  mode?: string;
  /** Share of the machines in one batch, 5 to 100. Default: 20. */
  maxBatchPercent?: number;
  /** Share of the machines that may be unhealthy without stopping the upgrade, 5 to 100. Default: 100. */
  maxUnhealthyPercent?: number;
  /** Share of the new machines that may be unhealthy without stopping the upgrade, 0 to 100. Default: 20. */
  maxUnhealthyUpgradedPercent?: number;
  /** Time between two batches, ISO 8601. Default: `PT0S`. */
  pauseBetweenBatches?: string;
}

/** Options that only Azure has. */
export interface VmssNativeArgs {
  /** Availability zones of the scale set, such as `["1", "2"]`. Default: none. */
  zones?: string[];
  /** Encrypt disks and caches on the host, too; the subscription must have the feature. Default: false. */
  encryptionAtHost?: boolean;
  /** Public SSH key of the administrator, for debugging. Default: a key whose private half is thrown away at once. */
  sshPublicKey?: Input<string>;
  /** Kind of the machines' disk. Default: `Premium_LRS` where the type can have it, otherwise `StandardSSD_LRS`. */
  diskType?: string;
  /** How running machines follow a change, such as a new launcher or token. */
  upgradePolicy?: VmssUpgradePolicy;
  /**
   * Give the machines' identity a role of its own, by which they protect themselves while they have a run. The deployer
   * needs the right to make role definitions. Default: true with the bundled launcher.
   */
  scaleInProtection?: boolean;
}

export interface VmssWorkerPoolArgs extends WorkerPoolArgs {
  /** Name of the resource group that everything is made in. */
  resourceGroupName: Input<string>;
  /** Region such as `westeurope`. Default: that of the resource group. */
  location?: Input<string>;
  /** Network security group of the machines. Default: a new one that lets nothing in. */
  networkSecurityGroupId?: Input<string>;
  /** What only Azure has. */
  azure?: VmssNativeArgs;
}
