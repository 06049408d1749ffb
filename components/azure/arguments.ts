// What only Azure has.
import type { Input } from '@pulumi/pulumi';
import type { WorkerPoolArgs } from '../arguments.js';

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
