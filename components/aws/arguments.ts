// What only EC2 has.
import type { Input } from '@pulumi/pulumi';
import type { WorkerPoolArgs } from '../arguments.js';

/** Several machine types in one group: for spot capacity, or for regions that are short of one. */
export interface Ec2MixedInstances {
  /** Further machine types of the same architecture, most wanted first. */
  machineTypes: string[];
  /** Machines that are never spot machines. Default: 0 with spot, otherwise all. */
  onDemandBase?: number;
  /** Share of on-demand machines above the base, 0 to 100. Default: 0 with spot, otherwise 100. */
  onDemandPercentage?: number;
}

/** How machines are exchanged when their launch template has changed. */
export interface Ec2InstanceRefresh {
  /** Share of the pool that stays in service, 0 to 100. Default: 100, so that new machines come first. */
  minHealthyPercentage?: number;
  /** Size that the pool may have meanwhile, 100 to 200. Default: 110. */
  maxHealthyPercentage?: number;
  /** Seconds until a new machine counts as in service. Default: 120. */
  instanceWarmup?: number;
  /** Leave running machines as they are: only new ones get the new template. Default: false. */
  disabled?: boolean;
}

/** Options that only EC2 Auto Scaling has. */
export interface Ec2NativeArgs {
  /** Several machine types in one group. Default: one type. */
  mixedInstances?: Ec2MixedInstances;
  /** How machines are exchanged when their launch template has changed. Default: one after another, new ones first. */
  instanceRefresh?: Ec2InstanceRefresh;
  /** Key for disks, secret and launcher bucket in the place of AWS's own: ARN of a KMS key. */
  kmsKeyArn?: Input<string>;
  /** Name of an existing SSH key pair, for debugging. No port is opened for it. */
  keyName?: Input<string>;
}

export interface Ec2WorkerPoolArgs extends WorkerPoolArgs {
  /** Security groups of the machines. Default: a new one without any inbound rule. */
  securityGroupIds?: Input<Input<string>[]>;
  /**
   * Name of an existing role for the machines, in the place of a new one. It needs what docs/aws.md lists under
   * "A role of your own".
   */
  instanceRole?: Input<string>;
  /** What only EC2 has. */
  aws?: Ec2NativeArgs;
}
