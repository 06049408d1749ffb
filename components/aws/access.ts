// The role of a pool's machines on EC2: what the guide asks of it, and of our own nothing beyond this pool.
import * as pulumi from '@pulumi/pulumi';
import { InstanceProfile } from '@pulumi/aws/iam/instanceProfile.js';
import { Role } from '@pulumi/aws/iam/role.js';
import { RolePolicy } from '@pulumi/aws/iam/rolePolicy.js';
import { RolePolicyAttachment } from '@pulumi/aws/iam/rolePolicyAttachment.js';
import type { Ec2WorkerPoolArgs } from './arguments.js';
import type { Place } from './place.js';
import { settled, together } from '../late.js';
import { afterOf, type ChildOptions } from '../plan.js';

/** "Using a custom IAM role" of the guide names these three. */
const managedPolicies = [
  'AutoScalingReadOnlyAccess',
  'CloudWatchAgentServerPolicy',
  'AmazonSSMManagedInstanceCore',
];

export interface Needs {
  readonly place: pulumi.Output<Place>;
  /** ARNs of secrets that machines read. */
  readonly secrets: readonly pulumi.Input<string>[];
  /** ARN of the launcher's objects, a pattern; or null for the hosted launcher. */
  readonly launcherObjects: pulumi.Input<string> | null;
}

interface Statement {
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: string | readonly string[];
}

export interface Access {
  readonly profileArn: pulumi.Output<string>;
  readonly roleName: pulumi.Output<string>;
  /** Null when it is not ours. */
  readonly role: Role | null;
  /** Machines that start before these exist could not read their secret. */
  readonly ready: pulumi.Resource[];
}

export function accessOf(name: string, args: Ec2WorkerPoolArgs, needs: Needs, options: ChildOptions): Access {
  const tags = args.tags === undefined ? {} : { tags: args.tags };
  if (args.instanceRole !== undefined) {
    const roleName = pulumi.output(args.instanceRole);
    const profile = new InstanceProfile(`${name}-workers`, { role: roleName, ...tags }, options);
    return { profileArn: profile.arn, roleName, role: null, ready: [] };
  }
  const role = new Role(
    `${name}-workers`,
    {
      description: 'Workers of a worker pool',
      // One of its policies is deleted with it.
      forceDetachPolicies: true,
      assumeRolePolicy: needs.place.apply(({ partition: { ec2 } }) =>
        JSON.stringify({
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: ec2 } }],
        }),
      ),
      ...tags,
    },
    options,
  );
  const inside = afterOf(options);
  const attachments = managedPolicies.map(
    (policy) =>
      new RolePolicyAttachment(
        `${name}-${policy}`,
        {
          role: role.name,
          policyArn: needs.place.apply(({ partition }) => `arn:${partition.name}:iam::aws:policy/${policy}`),
        },
        inside,
      ),
  );
  const own = new RolePolicy(
    `${name}-read`,
    {
      role: role.name,
      policy: together(
        [needs.launcherObjects, args.aws?.kmsKeyArn, settled(args.dockerRegistries), ...needs.secrets],
        ([launcherObjects, kmsKey, registries, ...secrets]) =>
          JSON.stringify({
            Version: '2012-10-17',
            Statement: statements({ secrets, launcherObjects, kmsKey, registries }),
          }),
      ),
    },
    inside,
  );
  const profile = new InstanceProfile(`${name}-workers`, { role: role.name, ...tags }, inside);
  return { profileArn: profile.arn, roleName: role.name, role, ready: [...attachments, own] };
}

function statements(may: {
  readonly secrets: readonly string[];
  readonly launcherObjects: string | null;
  readonly kmsKey: string | undefined;
  readonly registries: readonly string[] | undefined;
}): Statement[] {
  const { secrets, launcherObjects, kmsKey, registries } = may;
  return [
    { Effect: 'Allow', Action: ['secretsmanager:GetSecretValue'], Resource: secrets },
    ...(launcherObjects === null
      ? []
      : [{ Effect: 'Allow', Action: ['s3:GetObject'], Resource: launcherObjects } as const]),
    ...(kmsKey === undefined
      ? []
      : [{ Effect: 'Allow', Action: ['kms:Decrypt'], Resource: kmsKey } as const]),
    ...(registries === undefined
      ? []
      : ([
          {
            Effect: 'Allow',
            Action: ['ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage', 'ecr:BatchCheckLayerAvailability'],
            Resource: registries,
          },
          { Effect: 'Allow', Action: ['ecr:GetAuthorizationToken'], Resource: '*' },
        ] as const)),
  ];
}
