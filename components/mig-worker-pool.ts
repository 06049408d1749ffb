// A worker pool on Google Cloud: a regional managed instance group whose machines boot into the launcher.
import * as pulumi from '@pulumi/pulumi';
import { RegionInstanceGroupManager } from '@pulumi/gcp/compute/regionInstanceGroupManager.js';
import { Account } from '@pulumi/gcp/serviceaccount/account.js';
import type { Names, OwnNames } from './argument-names.js';
import type { Fault } from '../protocol/errors.js';
import { bootScript } from './bootstrap/script.js';
import { checkWord } from './checks/values.js';
import type { MigNativeArgs, MigWorkerPoolArgs } from './google/arguments.js';
import { templateOf } from './google/machines.js';
import { missingOnGoogle } from './google/missing.js';
import { networkOf } from './google/network.js';
import { registryReaders } from './google/registries.js';
import { credentialsOf, launcherObjectOf } from './google/storage.js';
import type { ChosenMachine } from './checks/machine.js';
import { isLate, together } from './late.js';
import { gateOf, marked } from './waiting/gate.js';
import { after, type ChildOptions, planPool } from './plan.js';
import { shortName } from './names.js';

const type = 'workerpools:index:MigWorkerPool';

const native: Names<MigNativeArgs> = {
  updatePolicy: true,
  zones: true,
  serviceAccountEmail: true,
  networkTags: true,
  diskType: true,
  kmsKeyName: true,
};
const names: OwnNames<MigWorkerPoolArgs> = {
  region: true,
  google: native,
};

/** Where T2A machines, the default for arm64, are offered (Compute Engine, "Available regions and zones"). */
const t2aRegions = ['us-central1', 'europe-west4', 'asia-southeast1'];

/** A worker pool on Google Cloud: a regional managed instance group whose machines boot into the launcher. */
export class MigWorkerPool extends pulumi.ComponentResource {
  /** Name of the managed instance group. */
  readonly groupName: pulumi.Output<string>;
  /** Identifier of the group, `projects/P/regions/R/instanceGroupManagers/N`. Workers register it as `gcp_igm_id`. */
  readonly groupId: pulumi.Output<string>;
  /** Service account of the machines: give to it what runs may do when they use the instance's own identity. */
  readonly serviceAccountEmail: pulumi.Output<string>;
  /** The secret with token and private key, `projects/P/secrets/S`. */
  readonly credentialsId: pulumi.Output<string>;
  /**
   * Content hash of the launcher that machines start with, also where updates let them run another one later; `hosted` or
   * `selfHosted` for other launchers.
   */
  readonly launcherVersion: pulumi.Output<string>;
  /** How to look at the pool: a console link and a command. */
  readonly howToLook: pulumi.Output<string>;

  constructor(name: string, args: MigWorkerPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super(type, name, {}, opts);
    const plan = planPool(
      { type, name, cloud: 'google', names },
      args,
      (faults, { machine }) => {
        checkNative(args, machine, faults);
      },
      (message) => void pulumi.log.warn(message, this),
    );
    const options: ChildOptions = { parent: this, ...after(plan.checks) };
    const email =
      args.google?.serviceAccountEmail === undefined
        ? new Account(
            `${name}-workers`,
            { accountId: shortName(name, 28), displayName: `Workers of the pool ${name}` },
            options,
          ).email
        : pulumi.output(args.google.serviceAccountEmail);
    const member = pulumi.interpolate`serviceAccount:${email}`;
    const network = networkOf(name, args, options);
    const launcher = launcherObjectOf(name, args, plan, member, options);
    const credentials = credentialsOf(name, args, plan, member, options);
    const registries = registryReaders(name, args, member, options);
    const settings = together(
      [
        plan.boot,
        credentials.id,
        credentials.version,
        launcher?.url ?? '',
        launcher?.sha256 ?? '',
        args.startupScript ?? null,
        plan.registries,
      ],
      ([boot, id, version, url, sha256, startupScript, registries]) =>
        marked({
          ...boot,
          cloud: 'google',
          launcher: { distribution: boot.distribution, version: plan.launcherVersion, url, sha256 },
          credentials: id,
          credentialsVersion: version,
          startupScript,
          registries,
          life:
            plan.artifact === null
              ? null
              : {
                  disconnectedTimeout: plan.disconnectedTimeout,
                  lifecycleHook: null,
                  scaleInProtection: false,
                  healthPort: null,
                  replacedByHealth: false,
                },
        }),
    );
    const script = settings.apply(bootScript);
    const template = templateOf(name, args, plan, { email, script, subnetwork: network.subnetwork }, options);
    const zones = args.google?.zones?.length ?? 3;
    const update = args.google?.updatePolicy;
    const group = new RegionInstanceGroupManager(
      `${name}-workers`,
      {
        region: args.region,
        baseInstanceName: shortName(name, 54),
        versions: [{ instanceTemplate: template.selfLinkUnique }],
        targetSize: plan.size.desired,
        waitForInstances: false,
        ...(args.google?.zones === undefined ? {} : { distributionPolicyZones: args.google.zones }),
        updatePolicy: {
          type: update?.type ?? 'PROACTIVE',
          minimalAction: 'REPLACE',
          replacementMethod: 'SUBSTITUTE',
          maxSurgeFixed: update?.maxSurge ?? zones,
          maxUnavailableFixed: update?.maxUnavailable ?? 0,
          // Moving machines between zones to even them out would end the runs on them.
          instanceRedistributionType: 'NONE',
        },
        instanceLifecyclePolicy: { forceUpdateOnRepair: 'YES', defaultActionOnFailure: 'REPAIR' },
      },
      {
        parent: this,
        // What was checked is there with the template.
        dependsOn: [...network.ready, ...credentials.ready, ...(launcher?.ready ?? []), ...registries],
        ignoreChanges: args.size?.desired === undefined ? ['targetSize'] : [],
      },
    );

    const id = pulumi.interpolate`projects/${group.project}/regions/${args.region}/instanceGroupManagers/${group.name}`;
    const gate = gateOf(
      this,
      args.waitForWorkers,
      settings,
      () => id,
      (known, ready) => missingOnGoogle(known, ready, { parent: this }),
    );
    this.groupName = gate(group.name);
    this.groupId = id;
    this.serviceAccountEmail = email;
    this.credentialsId = credentials.id;
    this.launcherVersion = pulumi.output(plan.launcherVersion);
    this.howToLook = pulumi.interpolate`https://console.cloud.google.com/compute/instanceGroups/details/${args.region}/${group.name}?project=${group.project}
gcloud compute instance-groups managed list-instances ${group.name} --project ${group.project} --region ${args.region}
gcloud compute instances get-serial-port-output <instance> --project ${group.project} --zone <zone>`;
    this.registerOutputs({
      groupName: this.groupName,
      groupId: this.groupId,
      serviceAccountEmail: this.serviceAccountEmail,
      credentialsId: this.credentialsId,
      launcherVersion: this.launcherVersion,
      howToLook: this.howToLook,
    });
  }
}

function checkNative(args: MigWorkerPoolArgs, machine: ChosenMachine, faults: Fault[]): void {
  const { region } = args;
  if (typeof region === 'string') {
    if (!/^[a-z]+-[a-z]+\d+$/.test(region)) {
      faults.push({
        path: 'region',
        reason: `expected a region such as "europe-west4", got ${JSON.stringify(region)}`,
      });
    } else if (machine.machineType.startsWith('t2a-') && !t2aRegions.includes(region)) {
      faults.push({
        path: 'machineType',
        reason: `${machine.machineType} is offered in ${t2aRegions.join(', ')}, not in ${region}. Choose another such as c4a-standard-2`,
      });
    }
  }
  checkWord(
    'google.updatePolicy.type',
    args.google?.updatePolicy?.type,
    ['PROACTIVE', 'OPPORTUNISTIC'],
    faults,
  );
  if (isLate(args.dockerRegistries)) {
    faults.push({
      path: 'dockerRegistries',
      reason: 'expected a list: how many there are must be known beforehand',
    });
  }
  for (const [key, value] of Object.entries(plainTags(args))) {
    if (
      /^[a-z][a-z0-9_-]{0,62}$/.test(key) &&
      (typeof value !== 'string' || /^[a-z0-9_-]{0,63}$/.test(value))
    )
      continue;
    faults.push({
      path: `tags.${key}`,
      reason: 'labels of Google Cloud have lower-case letters, digits, _ and - only',
    });
  }
}

function plainTags(args: MigWorkerPoolArgs): Record<string, unknown> {
  return args.tags === undefined || pulumi.Output.isInstance(args.tags) || args.tags instanceof Promise
    ? {}
    : args.tags;
}
