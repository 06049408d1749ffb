// A worker pool on AWS EC2: an Auto Scaling group whose machines boot into the launcher.
import * as pulumi from '@pulumi/pulumi';
import { Group } from '@pulumi/aws/autoscaling/group.js';
import { LaunchTemplate } from '@pulumi/aws/ec2/launchTemplate.js';
import type { Names, OwnNames } from './argument-names.js';
import type { Fault } from '../protocol/errors.js';
import type { Ec2NativeArgs, Ec2WorkerPoolArgs } from './aws/arguments.js';
import { accessOf } from './aws/access.js';
import { endOfLife, lifecycleHook, longestEnd } from './aws/life.js';
import { imageOf } from './aws/image.js';
import { missingOnEc2 } from './aws/missing.js';
import { capacity, refresh } from './aws/group.js';
import { networkOf } from './aws/network.js';
import { placeOf } from './aws/place.js';
import { credentialsOf, launcherObjectOf } from './aws/storage.js';
import { compressed } from './aws/user-data.js';
import { bootScript } from './bootstrap/script.js';
import { knownPart } from './known.js';
import { machineOf } from './machines.js';
import { derived, settled, together } from './late.js';
import { gateOf, marked } from './waiting/gate.js';
import { after, afterOf, type ChildOptions, planPool, workersOf } from './plan.js';

const type = 'workerpools:index:Ec2WorkerPool';

const native: Names<Ec2NativeArgs> = {
  mixedInstances: true,
  instanceRefresh: true,
  kmsKeyArn: true,
  keyName: true,
};
const names: OwnNames<Ec2WorkerPoolArgs> = {
  securityGroupIds: true,
  instanceRole: true,
  aws: native,
};

/** A worker pool on AWS EC2: an Auto Scaling group whose machines boot into the launcher. */
export class Ec2WorkerPool extends pulumi.ComponentResource {
  /** Name of the Auto Scaling group. Workers register it as `asg_id`. */
  readonly groupName: pulumi.Output<string>;
  /** ARN of the Auto Scaling group. */
  readonly groupArn: pulumi.Output<string>;
  /** Name of the machines' role: attach to it what runs may do when they use the instance's own identity. */
  readonly roleName: pulumi.Output<string>;
  /** ARN of the secret with token and private key. */
  readonly credentialsArn: pulumi.Output<string>;
  /** Security groups of the machines. */
  readonly securityGroupIds: pulumi.Output<string[]>;
  /**
   * Content hash of the launcher that machines start with, also where updates let them run another one later; `hosted` or
   * `selfHosted` for other launchers.
   */
  readonly launcherVersion: pulumi.Output<string>;
  /** How to look at the pool: a console link and a command. */
  readonly howToLook: pulumi.Output<string>;

  constructor(name: string, args: Ec2WorkerPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super(type, name, {}, opts);
    const plan = planPool(
      { type, name, cloud: 'aws', names },
      args,
      (faults, { machine }) => {
        checkNative(args, machine.architecture, faults);
      },
      (message) => void pulumi.log.warn(message, this),
    );
    const invoke: pulumi.InvokeOptions = { parent: this };
    const place = placeOf({ type, name }, args, plan.machine, invoke);
    const image = imageOf({ type, name }, args.image, plan.machine.architecture, place, invoke);
    // The default image was looked up at the place.
    const found = args.image === undefined ? image.id : place;
    const options: ChildOptions = { parent: this, ...after([...plan.checks, found]) };

    const network = networkOf(name, args, options, invoke);
    const launcher = launcherObjectOf(name, args, plan, place, options);
    const credentials = credentialsOf(name, args, plan, options);
    const access = accessOf(
      name,
      args,
      {
        place,
        secrets: [credentials.arn, ...(args.startupScript === undefined ? [] : [args.startupScript])],
        launcherObjects: launcher?.readable ?? null,
      },
      options,
    );
    const settings = together(
      [
        plan.boot,
        credentials.arn,
        credentials.version,
        launcher?.url ?? '',
        launcher?.sha256 ?? '',
        args.startupScript ?? null,
        plan.registries,
      ],
      ([boot, arn, version, url, sha256, startupScript, registries]) =>
        marked({
          ...boot,
          cloud: 'aws',
          launcher: { distribution: boot.distribution, version: plan.launcherVersion, url, sha256 },
          credentials: arn,
          credentialsVersion: version,
          startupScript,
          registries,
          life:
            plan.artifact === null
              ? null
              : {
                  disconnectedTimeout: plan.disconnectedTimeout,
                  lifecycleHook,
                  scaleInProtection: true,
                  healthPort: null,
                  replacedByHealth: false,
                },
        }),
    );
    const userData = settings.apply((known) => compressed(bootScript(known)));
    const kmsKey = args.aws?.kmsKeyArn;
    const template = new LaunchTemplate(
      workersOf(name, plan),
      {
        imageId: image.id,
        instanceType: plan.machine.machineType,
        updateDefaultVersion: true,
        userData,
        iamInstanceProfile: { arn: access.profileArn },
        instanceInitiatedShutdownBehavior: 'terminate',
        // One hop ends at the machine itself: an answer to a container would be the second.
        metadataOptions: {
          httpEndpoint: 'enabled',
          httpTokens: 'required',
          httpPutResponseHopLimit: args.runsUseInstanceIdentity === true ? 2 : 1,
          instanceMetadataTags: 'enabled',
        },
        blockDeviceMappings: [
          {
            deviceName: image.rootDeviceName,
            ebs: {
              volumeSize: plan.diskSizeGb,
              volumeType: 'gp3',
              encrypted: 'true',
              deleteOnTermination: 'true',
              ...(kmsKey === undefined ? {} : { kmsKeyId: kmsKey }),
            },
          },
        ],
        networkInterfaces: [
          {
            associatePublicIpAddress: String(args.publicAddress ?? false),
            deleteOnTermination: 'true',
            securityGroups: network.securityGroupIds,
          },
        ],
        ...(args.aws?.keyName === undefined ? {} : { keyName: args.aws.keyName }),
        ...(args.spot === true && args.aws?.mixedInstances === undefined
          ? { instanceMarketOptions: { marketType: 'spot' } }
          : {}),
        ...(args.tags === undefined
          ? {}
          : { tags: args.tags, tagSpecifications: [{ resourceType: 'volume', tags: args.tags }] }),
      },
      // The template before is still the group's while the new one is made.
      { ...afterOf(options), ignoreChanges: plan.pinImage ? ['imageId'] : [] },
    );
    const group = new Group(
      `${name}-workers`,
      {
        minSize: plan.size.min,
        maxSize: plan.size.max,
        desiredCapacity: plan.size.desired,
        vpcZoneIdentifiers: network.subnetIds,
        healthCheckType: 'EC2',
        healthCheckGracePeriod: 120,
        defaultInstanceWarmup: args.aws?.instanceRefresh?.instanceWarmup ?? 120,
        terminationPolicies: ['OldestLaunchTemplate', 'OldestInstance'],
        // The deployment ends when the group is there; machines say themselves how they come along.
        waitForCapacityTimeout: '0',
        ...capacity(args, template),
        ...refresh(args),
        tags: derived(settled(args.tags ?? {}), (tags) =>
          Object.entries({ Name: name, ...tags }).map(([key, value]) => ({
            key,
            value,
            propagateAtLaunch: true,
          })),
        ),
      },
      {
        parent: this,
        // What was checked is there with the template.
        dependsOn: [...access.ready, ...credentials.ready, ...(launcher?.ready ?? [])],
        ignoreChanges: args.size?.desired === undefined ? ['desiredCapacity'] : [],
        customTimeouts: { delete: longestEnd },
      },
    );

    // Other launchers do not answer, and the group would wait for nothing.
    if (plan.artifact !== null) {
      endOfLife(name, group, { role: access.role, boot: plan.boot }, options);
    }

    const gate = gateOf(
      this,
      args.waitForWorkers,
      settings,
      () => pulumi.all([group.arn, group.name, place]),
      ([, id, { region }], ready) => missingOnEc2(id, region, ready, invoke),
    );
    this.groupName = gate(group.name);
    this.groupArn = group.arn;
    this.roleName = access.roleName;
    this.credentialsArn = credentials.arn;
    this.securityGroupIds = network.securityGroupIds;
    this.launcherVersion = pulumi.output(plan.launcherVersion);
    this.howToLook = place.apply(({ region, partition }) =>
      group.name.apply((id) =>
        [
          `https://${region}.${partition.console}/ec2/home?region=${region}#AutoScalingGroupDetails:id=${id}`,
          `aws autoscaling describe-scaling-activities --region ${region} --auto-scaling-group-name ${id}`,
          `aws ec2 get-console-output --region ${region} --latest --output text --instance-id <id>`,
        ].join('\n'),
      ),
    );
    this.registerOutputs({
      groupName: this.groupName,
      groupArn: this.groupArn,
      roleName: this.roleName,
      credentialsArn: this.credentialsArn,
      securityGroupIds: this.securityGroupIds,
      launcherVersion: this.launcherVersion,
      howToLook: this.howToLook,
    });
  }
}

function checkNative(args: Ec2WorkerPoolArgs, architecture: string, faults: Fault[]): void {
  if (args.subnetIds === undefined && args.publicAddress !== true) {
    faults.push({
      path: 'subnetIds',
      reason:
        'is missing, so machines go into the default VPC, whose subnets have a way out only for public addresses. ' +
        'Give subnets with a NAT gateway, or set publicAddress to true',
    });
  }
  args.aws?.mixedInstances?.machineTypes.forEach((machineType, index) => {
    const path = `aws.mixedInstances.machineTypes[${String(index)}]`;
    const known = machineOf('aws', machineType)?.architecture;
    if (known !== undefined && known !== architecture) {
      faults.push({ path, reason: `${machineType} is ${known}, the pool is ${architecture}` });
    }
  });
  // Keys are offered to the machine by its metadata service, which refuses to start one with others.
  for (const key of Object.keys(knownPart(args).tags ?? {})) {
    if (/^[A-Za-z0-9+\-=.,_:@]+$/.test(key)) continue;
    faults.push({
      path: `tags.${key}`,
      reason: 'EC2 offers tags to machines, and their keys then have no spaces or slashes',
    });
  }
}
