// Subnets and security groups of a pool on EC2: those given, or the default network and a group that lets nothing in.
import type * as pulumi from '@pulumi/pulumi';
import { getSubnetOutput } from '@pulumi/aws/ec2/getSubnet.js';
import { getSubnetsOutput } from '@pulumi/aws/ec2/getSubnets.js';
import { getVpcOutput } from '@pulumi/aws/ec2/getVpc.js';
import { SecurityGroup } from '@pulumi/aws/ec2/securityGroup.js';
import * as core from '@pulumi/pulumi';
import type { Ec2WorkerPoolArgs } from './arguments.js';
import type { ChildOptions } from '../plan.js';

export interface Network {
  readonly subnetIds: pulumi.Output<string[]>;
  readonly securityGroupIds: pulumi.Output<string[]>;
}

export function networkOf(
  name: string,
  args: Ec2WorkerPoolArgs,
  options: ChildOptions,
  invoke: pulumi.InvokeOptions,
): Network {
  const subnetIds = args.subnetIds === undefined ? defaultSubnets(invoke) : core.output(args.subnetIds);
  if (args.securityGroupIds !== undefined)
    return { subnetIds, securityGroupIds: core.output(args.securityGroupIds) };
  const group = new SecurityGroup(
    `${name}-workers`,
    {
      description: 'Workers: nothing comes in, everything may go out',
      vpcId: subnetIds.apply(([first]) => getSubnetOutput({ id: first ?? '' }, invoke).vpcId),
      ingress: [],
      egress: [
        { protocol: '-1', fromPort: 0, toPort: 0, cidrBlocks: ['0.0.0.0/0'], ipv6CidrBlocks: ['::/0'] },
      ],
      ...(args.tags === undefined ? {} : { tags: args.tags }),
    },
    options,
  );
  return { subnetIds, securityGroupIds: group.id.apply((id) => [id]) };
}

function defaultSubnets(invoke: pulumi.InvokeOptions): pulumi.Output<string[]> {
  const vpc = getVpcOutput({ default: true }, invoke);
  return getSubnetsOutput({ filters: [{ name: 'vpc-id', values: [vpc.id] }] }, invoke).ids;
}
