// What the machines of a pool on Google Cloud are made from.
import type * as pulumi from '@pulumi/pulumi';
import { getImageOutput } from '@pulumi/gcp/compute/getImage.js';
import { InstanceTemplate } from '@pulumi/gcp/compute/instanceTemplate.js';
import { derived } from '../late.js';
import { workersOf, type ChildOptions, type PoolPlan } from '../plan.js';
import type { MigWorkerPoolArgs } from './arguments.js';

/** Longest time that Compute Engine gives a machine to end in order, in seconds. */
const longestShutdown = 3600;

export function templateOf(
  name: string,
  args: MigWorkerPoolArgs,
  plan: PoolPlan,
  parts: { email: pulumi.Output<string>; script: pulumi.Output<string>; subnetwork: pulumi.Output<string> },
  options: ChildOptions,
): InstanceTemplate {
  const { architecture, machineType } = plan.machine;
  const image =
    args.image ??
    getImageOutput(
      { project: 'debian-cloud', family: architecture === 'arm64' ? 'debian-12-arm64' : 'debian-12' },
      { parent: options.parent },
    ).selfLink;
  const kmsKey = args.google?.kmsKeyName;
  return new InstanceTemplate(
    workersOf(name, plan),
    {
      machineType,
      disks: [
        {
          boot: true,
          autoDelete: true,
          sourceImage: image,
          diskSizeGb: plan.diskSizeGb,
          diskType: args.google?.diskType ?? diskTypeOf(machineType),
          ...(kmsKey === undefined ? {} : { diskEncryptionKey: { kmsKeySelfLink: kmsKey } }),
        },
      ],
      networkInterfaces: [
        { subnetwork: parts.subnetwork, ...(args.publicAddress === true ? { accessConfigs: [{}] } : {}) },
      ],
      // What the account may do is decided by its roles alone; scopes are an older, coarser gate before them.
      serviceAccount: { email: parts.email, scopes: ['cloud-platform'] },
      metadata: {
        'startup-script': parts.script,
        'enable-oslogin': 'TRUE',
        'block-project-ssh-keys': 'true',
        'serial-port-enable': 'FALSE',
      },
      // An image of the user's may not be made for it.
      ...(architecture === 'arm64' || args.image !== undefined
        ? {}
        : {
            shieldedInstanceConfig: {
              enableSecureBoot: true,
              enableVtpm: true,
              enableIntegrityMonitoring: true,
            },
          }),
      scheduling: {
        ...(args.spot === true
          ? {
              provisioningModel: 'SPOT',
              preemptible: true,
              automaticRestart: false,
              instanceTerminationAction: 'STOP',
            }
          : { automaticRestart: true, onHostMaintenance: 'MIGRATE' }),
        ...gracefulShutdown(args, plan),
      },
      ...(args.google?.networkTags === undefined ? {} : { tags: args.google.networkTags }),
      ...(args.tags === undefined ? {} : { labels: args.tags }),
    },
    { ...options, ignoreChanges: plan.pinImage ? ['disks[0].sourceImage'] : [] },
  );
}

/** The fourth series has Hyperdisk only (Compute Engine, "Machine families resource and comparison guide"). */
function diskTypeOf(machineType: string): string {
  return /^(c4|c4a|n4)-/.test(machineType) ? 'hyperdisk-balanced' : 'pd-balanced';
}

/** The machine may end in order before it is stopped or deleted: the launcher finishes its run. Not for spot machines. */
function gracefulShutdown(args: MigWorkerPoolArgs, plan: PoolPlan) {
  if (args.spot === true) return {};
  return {
    gracefulShutdown: {
      enabled: true,
      maxDuration: derived(plan.boot, ({ stopSeconds }) => ({
        seconds: Math.min(stopSeconds, longestShutdown),
      })),
    },
  };
}
