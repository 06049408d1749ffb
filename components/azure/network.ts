// Subnet and security group of a pool on Azure: those given, or a network of its own that has a way out and none in.
import * as pulumi from '@pulumi/pulumi';
import { NatGateway } from '@pulumi/azure-native/network/natGateway.js';
import { NetworkSecurityGroup } from '@pulumi/azure-native/network/networkSecurityGroup.js';
import { PublicIPAddress } from '@pulumi/azure-native/network/publicIPAddress.js';
import { Subnet } from '@pulumi/azure-native/network/subnet.js';
import { VirtualNetwork } from '@pulumi/azure-native/network/virtualNetwork.js';
import type { VmssWorkerPoolArgs } from './arguments.js';
import type { Place } from './place.js';
import { afterOf, type ChildOptions } from '../plan.js';

export interface PoolNetwork {
  readonly subnetId: pulumi.Output<string>;
  readonly securityGroupId: pulumi.Output<string>;
}

export function networkOf(
  name: string,
  args: VmssWorkerPoolArgs,
  place: Place,
  options: ChildOptions,
): PoolNetwork {
  return {
    subnetId:
      args.subnetIds === undefined
        ? ownSubnet(name, place, options)
        : pulumi.output(args.subnetIds).apply(([first]) => first ?? ''),
    securityGroupId:
      args.networkSecurityGroupId === undefined
        ? closedGroup(name, place, options).id
        : pulumi.output(args.networkSecurityGroupId),
  };
}

/** Azure's own rules let the virtual network in; this one comes before them. */
function closedGroup(name: string, place: Place, options: ChildOptions): NetworkSecurityGroup {
  return new NetworkSecurityGroup(
    `${name}-workers`,
    {
      ...place,
      securityRules: [
        {
          name: 'nothing-comes-in',
          priority: 4096,
          direction: 'Inbound',
          access: 'Deny',
          protocol: '*',
          sourceAddressPrefix: '*',
          sourcePortRange: '*',
          destinationAddressPrefix: '*',
          destinationPortRange: '*',
        },
      ],
    },
    options,
  );
}

function ownSubnet(name: string, place: Place, options: ChildOptions): pulumi.Output<string> {
  const { resourceGroupName } = place;
  const inside = afterOf(options);
  const network = new VirtualNetwork(
    `${name}-workers`,
    { ...place, addressSpace: { addressPrefixes: ['10.83.0.0/20'] } },
    // Subnets are resources of their own here, and must not be taken away by the network's next update.
    { ...options, ignoreChanges: ['subnets'] },
  );
  const address = new PublicIPAddress(
    `${name}-workers`,
    { ...place, sku: { name: 'Standard' }, publicIPAllocationMethod: 'Static' },
    options,
  );
  const gateway = new NatGateway(
    `${name}-workers`,
    { ...place, sku: { name: 'Standard' }, publicIpAddresses: [{ id: address.id }] },
    inside,
  );
  const subnet = new Subnet(
    `${name}-workers`,
    {
      resourceGroupName,
      virtualNetworkName: network.name,
      addressPrefix: '10.83.0.0/20',
      natGateway: { id: gateway.id },
      defaultOutboundAccess: false,
    },
    inside,
  );
  return subnet.id;
}
