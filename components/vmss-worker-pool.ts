// A worker pool on Azure: a virtual machine scale set whose machines boot into the launcher.
import * as pulumi from '@pulumi/pulumi';
import { VirtualMachineScaleSet } from '@pulumi/azure-native/compute/virtualMachineScaleSet.js';
import { UserAssignedIdentity } from '@pulumi/azure-native/managedidentity/userAssignedIdentity.js';
import type { Names, OwnNames } from './argument-names.js';
import type { Fault } from '../protocol/errors.js';
import { grant } from './azure/access.js';
import type { VmssNativeArgs, VmssWorkerPoolArgs } from './azure/arguments.js';
import { catalogueOf } from './azure/catalogue.js';
import { diskType, imageKind, imageReference, keyOfNobody, securityProfile } from './azure/machines.js';
import { healthPort, machineLife, mayProtectItself, scaleSetLife } from './azure/life.js';
import { missingOnAzure } from './azure/missing.js';
import { networkOf } from './azure/network.js';
import { placeOf, portalOf } from './azure/place.js';
import { credentialsOf, launcherBlobOf } from './azure/storage.js';
import { bootScript } from './bootstrap/script.js';
import { checkWord } from './checks/values.js';
import { azureMachineOf } from './machines.js';
import { shortName } from './names.js';
import { isLate, together } from './late.js';
import { gateOf, marked } from './waiting/gate.js';
import { after, afterOf, type ChildOptions, planPool, workersOf } from './plan.js';

const type = 'workerpools:index:VmssWorkerPool';

const native: Names<VmssNativeArgs> = {
  zones: true,
  encryptionAtHost: true,
  sshPublicKey: true,
  diskType: true,
  upgradePolicy: true,
  scaleInProtection: true,
};
const names: OwnNames<VmssWorkerPoolArgs> = {
  resourceGroupName: true,
  location: true,
  networkSecurityGroupId: true,
  azure: native,
};

/** A worker pool on Azure: a virtual machine scale set whose machines boot into the launcher. */
export class VmssWorkerPool extends pulumi.ComponentResource {
  /** Name of the scale set. Workers register it as `vmss_name`. */
  readonly scaleSetName: pulumi.Output<string>;
  /** Resource id of the scale set. Workers register it as `asg_id`. */
  readonly scaleSetId: pulumi.Output<string>;
  /** Principal of the machines' identity: give to it what runs may do when they use the instance's own identity. */
  readonly identityPrincipalId: pulumi.Output<string>;
  /** Address of the Key Vault secret with token and private key. */
  readonly credentialsUri: pulumi.Output<string>;
  /** Network security group of the machines. */
  readonly securityGroupId: pulumi.Output<string>;
  /**
   * Content hash of the launcher that machines start with, also where updates let them run another one later; `hosted` or
   * `selfHosted` for other launchers.
   */
  readonly launcherVersion: pulumi.Output<string>;
  /** How to look at the pool: a portal link and a command. */
  readonly howToLook: pulumi.Output<string>;

  constructor(name: string, args: VmssWorkerPoolArgs, opts?: pulumi.ComponentResourceOptions) {
    super(type, name, {}, opts);
    const plan = planPool(
      { type, name, cloud: 'azure', names },
      args,
      (faults, { machine }) => {
        checkNative(args, machine.machineType, faults);
      },
      (message) => void pulumi.log.warn(message, this),
    );
    const place = placeOf(args, { parent: this });
    const catalogue = catalogueOf({ type, name }, args, plan, place, this);
    const options: ChildOptions = { parent: this, ...after([...plan.checks, catalogue.offered]) };
    const identity = new UserAssignedIdentity(`${name}-workers`, { ...place }, options);
    const network = networkOf(name, args, place, options);
    const launcher = launcherBlobOf(name, args, plan, place, identity.principalId, options);
    const credentials = credentialsOf(name, args, plan, place, identity.principalId, options);
    const registries = (Array.isArray(args.dockerRegistries) ? args.dockerRegistries : []).map(
      (registry: pulumi.Input<string>, index) =>
        grant(
          `${name}-registry-${String(index)}`,
          'AcrPull',
          registry,
          identity.principalId,
          afterOf(options),
        ),
    );
    const ours = plan.artifact !== null;
    const protects = ours && args.azure?.scaleInProtection !== false;
    const settings = together(
      [
        plan.boot,
        credentials.uri,
        credentials.version,
        launcher?.url ?? '',
        launcher?.sha256 ?? '',
        args.startupScript ?? null,
        plan.registries,
        identity.clientId,
      ],
      ([boot, uri, version, url, sha256, startupScript, registries, identityClientId]) =>
        marked({
          ...boot,
          cloud: 'azure',
          launcher: { distribution: boot.distribution, version: plan.launcherVersion, url, sha256 },
          credentials: uri,
          credentialsVersion: version,
          startupScript,
          registries,
          identityClientId,
          life: ours
            ? {
                disconnectedTimeout: plan.disconnectedTimeout,
                lifecycleHook: null,
                scaleInProtection: protects,
                healthPort,
                replacedByHealth: args.powerOffOnExit !== false,
              }
            : null,
        }),
    );
    const script = settings.apply(bootScript);
    const ownKey = args.azure?.sshPublicKey;
    const scaleSet = new VirtualMachineScaleSet(
      // A generation is for the scale set's life, as an architecture is.
      imageKind(plan.machine) === 'gen2' ? `${name}-workers-gen2` : workersOf(name, plan),
      {
        ...place,
        sku: { name: plan.machine.machineType, tier: 'Standard', capacity: plan.size.desired },
        identity: { type: 'UserAssigned', userAssignedIdentities: [identity.id] },
        orchestrationMode: 'Uniform',
        // Machines beyond the size would register as workers and be taken away again.
        overprovision: false,
        singlePlacementGroup: false,
        ...scaleSetLife(args, ours),
        scaleInPolicy: { rules: ['OldestVM'] },
        ...(args.azure?.zones === undefined ? {} : { zones: args.azure.zones }),
        virtualMachineProfile: {
          osProfile: {
            computerNamePrefix: shortName(name, 9),
            // Made by useradd, which refuses a name that is a group of the image already, such as Debian's `operator`.
            adminUsername: 'poolwright',
            customData: script.apply((text) => Buffer.from(text).toString('base64')),
            linuxConfiguration: {
              disablePasswordAuthentication: true,
              ssh: {
                publicKeys: [
                  { path: '/home/poolwright/.ssh/authorized_keys', keyData: ownKey ?? keyOfNobody() },
                ],
              },
            },
          },
          storageProfile: {
            imageReference: imageReference(args, plan, catalogue.imageVersion),
            osDisk: {
              createOption: 'FromImage',
              caching: 'ReadWrite',
              diskSizeGB: plan.diskSizeGb,
              managedDisk: { storageAccountType: diskType(args, plan) },
            },
          },
          networkProfile: {
            networkInterfaceConfigurations: [
              {
                name: 'workers',
                primary: true,
                networkSecurityGroup: { id: network.securityGroupId },
                ipConfigurations: [
                  {
                    name: 'workers',
                    primary: true,
                    subnet: { id: network.subnetId },
                    ...(args.publicAddress === true
                      ? { publicIPAddressConfiguration: { name: 'workers', sku: { name: 'Standard' } } }
                      : {}),
                  },
                ],
              },
            ],
          },
          ...securityProfile(args, plan),
          ...machineLife(args, ours),
          diagnosticsProfile: { bootDiagnostics: { enabled: true } },
          ...(args.spot === true
            ? { priority: 'Spot', evictionPolicy: 'Delete', billingProfile: { maxPrice: -1 } }
            : {}),
        },
      },
      {
        parent: this,
        // What was checked is there with the identity.
        dependsOn: [...credentials.ready, ...(launcher?.ready ?? []), ...registries],
        ignoreChanges: [
          ...(args.size?.desired === undefined ? ['sku.capacity'] : []),
          ...(plan.pinImage ? ['virtualMachineProfile.storageProfile.imageReference.version'] : []),
          // Made anew at each deployment; the first one stays.
          ...(ownKey === undefined ? ['virtualMachineProfile.osProfile.linuxConfiguration.ssh'] : []),
        ],
      },
    );

    if (protects) {
      const { resourceGroupName } = args;
      const scope = { resourceGroupName, scaleSetId: scaleSet.id, principalId: identity.principalId };
      mayProtectItself(name, scope, options);
    }

    const gate = gateOf(
      this,
      args.waitForWorkers,
      settings,
      () => pulumi.all([scaleSet.id, scaleSet.name, place.resourceGroupName]),
      ([, set, group]) => Promise.resolve(missingOnAzure(set, group)),
    );
    this.scaleSetName = gate(scaleSet.name);
    this.scaleSetId = scaleSet.id;
    this.identityPrincipalId = identity.principalId;
    this.credentialsUri = credentials.uri;
    this.securityGroupId = network.securityGroupId;
    this.launcherVersion = pulumi.output(plan.launcherVersion);
    this.howToLook = pulumi.interpolate`${portalOf(place.location)}/#resource${scaleSet.id}/instances
az vmss list-instances --resource-group ${place.resourceGroupName} --name ${scaleSet.name} --output table
az vmss run-command invoke --resource-group ${place.resourceGroupName} --name ${scaleSet.name} --instance-id <id> --command-id RunShellScript --scripts 'journalctl -t poolwright -u poolwright-boot -u poolwright-launcher'`;
    this.registerOutputs({
      scaleSetName: this.scaleSetName,
      scaleSetId: this.scaleSetId,
      identityPrincipalId: this.identityPrincipalId,
      credentialsUri: this.credentialsUri,
      securityGroupId: this.securityGroupId,
      launcherVersion: this.launcherVersion,
      howToLook: this.howToLook,
    });
  }
}

function checkNative(args: VmssWorkerPoolArgs, machineType: string, faults: Fault[]): void {
  if (args.azure?.diskType?.startsWith('Premium') === true && !azureMachineOf(machineType).premiumDisk) {
    faults.push({
      path: 'azure.diskType',
      reason: `${machineType} cannot have premium disks; use StandardSSD_LRS`,
    });
  }
  const upgrade = args.azure?.upgradePolicy;
  const mode = checkWord('azure.upgradePolicy.mode', upgrade?.mode, ['Rolling', 'Manual'], faults);
  const { distribution } = args.launcher ?? {};
  if (
    upgrade?.mode !== undefined &&
    mode === 'Rolling' &&
    distribution !== undefined &&
    distribution !== 'bundled'
  ) {
    faults.push({
      path: 'azure.upgradePolicy.mode',
      reason: 'a rolling upgrade asks machines for their health, which only the bundled launcher tells',
    });
  }
  for (const [part, from] of [
    ['maxBatchPercent', 5],
    ['maxUnhealthyPercent', 5],
    ['maxUnhealthyUpgradedPercent', 0],
  ] as const) {
    const value = upgrade?.[part];
    if (value === undefined || (Number.isInteger(value) && value >= from && value <= 100)) continue;
    faults.push({
      path: `azure.upgradePolicy.${part}`,
      reason: `expected a whole number from ${String(from)} to 100, got ${JSON.stringify(value)}`,
    });
  }
  if (isLate(args.dockerRegistries)) {
    faults.push({
      path: 'dockerRegistries',
      reason: 'expected a list: how many there are must be known beforehand',
    });
  }
}
