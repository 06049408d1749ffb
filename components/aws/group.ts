// What the Auto Scaling group is told of its machines: which types, at which price, and how they are exchanged.
import type { LaunchTemplate } from '@pulumi/aws/ec2/launchTemplate.js';
import type { Ec2WorkerPoolArgs } from './arguments.js';

export function capacity(args: Ec2WorkerPoolArgs, template: LaunchTemplate) {
  const version = template.latestVersion.apply(String);
  const mixed = args.aws?.mixedInstances;
  if (mixed === undefined) return { launchTemplate: { id: template.id, version } };
  const spot = args.spot === true;
  return {
    mixedInstancesPolicy: {
      launchTemplate: {
        launchTemplateSpecification: { launchTemplateId: template.id, version },
        overrides: [template.instanceType, ...mixed.machineTypes].map((instanceType) => ({ instanceType })),
      },
      instancesDistribution: {
        onDemandBaseCapacity: mixed.onDemandBase ?? 0,
        onDemandPercentageAboveBaseCapacity: mixed.onDemandPercentage ?? (spot ? 0 : 100),
        spotAllocationStrategy: 'price-capacity-optimized',
      },
    },
  };
}

export function refresh(args: Ec2WorkerPoolArgs) {
  const wished = args.aws?.instanceRefresh ?? {};
  if (wished.disabled === true) return {};
  return {
    instanceRefresh: {
      strategy: 'Rolling',
      preferences: {
        minHealthyPercentage: wished.minHealthyPercentage ?? 100,
        maxHealthyPercentage: wished.maxHealthyPercentage ?? 110,
        instanceWarmup: String(wished.instanceWarmup ?? 120),
        scaleInProtectedInstances: 'Wait',
        skipMatching: true,
      },
    },
  };
}
