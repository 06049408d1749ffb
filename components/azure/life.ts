// The life of a pool's machines on Azure: how the scale set asks for their health, replaces and upgrades them, and the
// right by which a worker protects itself.
import * as pulumi from '@pulumi/pulumi';
import { RoleAssignment } from '@pulumi/azure-native/authorization/roleAssignment.js';
import { RoleDefinition } from '@pulumi/azure-native/authorization/roleDefinition.js';
import { getClientConfigOutput } from '@pulumi/azure-native/authorization/getClientConfig.js';
import { uniqueId } from '../names.js';
import { afterOf, type ChildOptions } from '../plan.js';
import type { VmssWorkerPoolArgs } from './arguments.js';

/** Of the launcher's endpoint on the loopback address. */
export const healthPort = 8372;

/** For how long a deleted machine is kept for its run: the most that Azure gives. */
const terminateAfter = 'PT15M';

/** `ours`: the machines run our launcher, which says how it is. Others say nothing, so that nothing can be decided by it. */
export function scaleSetLife(args: VmssWorkerPoolArgs, ours: boolean) {
  const upgrade = args.azure?.upgradePolicy ?? {};
  const mode = upgrade.mode ?? (ours ? 'Rolling' : 'Manual');
  return {
    upgradePolicy:
      mode === 'Manual'
        ? { mode: 'Manual' as const }
        : {
            mode: 'Rolling' as const,
            rollingUpgradePolicy: {
              // What a machine boots with changes only when it is made anew.
              maxSurge: true,
              maxBatchInstancePercent: upgrade.maxBatchPercent ?? 20,
              // Machines that are broken must not stand in the way of the upgrade that mends them.
              maxUnhealthyInstancePercent: upgrade.maxUnhealthyPercent ?? 100,
              maxUnhealthyUpgradedInstancePercent: upgrade.maxUnhealthyUpgradedPercent ?? 20,
              pauseTimeBetweenBatches: upgrade.pauseBetweenBatches ?? 'PT0S',
            },
          },
    ...(ours
      ? {
          automaticRepairsPolicy: {
            enabled: args.powerOffOnExit !== false,
            gracePeriod: 'PT10M',
            repairAction: 'Replace',
          },
        }
      : {}),
  };
}

/** The parts of it that are in the machines' model. */
export function machineLife(args: VmssWorkerPoolArgs, ours: boolean) {
  if (!ours) return {};
  return {
    extensionProfile: {
      extensions: [
        {
          name: 'health',
          publisher: 'Microsoft.ManagedServices',
          type: 'ApplicationHealthLinux',
          typeHandlerVersion: '2.0',
          autoUpgradeMinorVersion: true,
          settings: {
            protocol: 'http',
            port: healthPort,
            requestPath: '/health',
            intervalInSeconds: 10,
            numberOfProbes: 3,
            // Seconds for the first boot, with packages to be installed.
            gracePeriod: 600,
          },
        },
      ],
    },
    // Spot machines hear of their end by another event (Preempt), and cannot have this one.
    ...(args.spot === true
      ? {}
      : {
          scheduledEventsProfile: {
            terminateNotificationProfile: { enable: true, notBeforeTimeout: terminateAfter },
          },
        }),
  };
}

/**
 * The identity may read and write the scale set's instances: there is no built-in role for less than whole machines. Role
 * definitions can be assigned within a resource group, and this one is assigned to the scale set alone.
 */
export function mayProtectItself(
  name: string,
  {
    resourceGroupName,
    scaleSetId,
    principalId,
  }: {
    readonly resourceGroupName: pulumi.Input<string>;
    readonly scaleSetId: pulumi.Input<string>;
    readonly principalId: pulumi.Input<string>;
  },
  options: ChildOptions,
): void {
  const { subscriptionId } = getClientConfigOutput({ parent: options.parent });
  const group = pulumi.interpolate`/subscriptions/${subscriptionId}/resourceGroups/${resourceGroupName}`;
  const id = uniqueId(`${name}-life`, [subscriptionId]);
  const role = new RoleDefinition(
    `${name}-life`,
    {
      scope: group,
      roleDefinitionId: id,
      roleName: pulumi.interpolate`Poolwright worker ${id}`,
      roleType: 'CustomRole',
      description: `Workers of the pool ${name}: protect themselves while they have a run`,
      permissions: [
        {
          actions: [
            'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read',
            'Microsoft.Compute/virtualMachineScaleSets/virtualMachines/write',
          ],
        },
      ],
      assignableScopes: [group],
    },
    options,
  );
  new RoleAssignment(
    `${name}-life`,
    { scope: scaleSetId, principalId, principalType: 'ServicePrincipal', roleDefinitionId: role.id },
    afterOf(options),
  );
}
