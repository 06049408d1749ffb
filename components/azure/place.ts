// In which group, region and with which tags the resources of a pool on Azure are made, and which of Azure's clouds it is.
import * as pulumi from '@pulumi/pulumi';
import { getResourceGroupOutput } from '@pulumi/azure-native/resources/getResourceGroup.js';
import type { VmssWorkerPoolArgs } from './arguments.js';

export interface Place {
  readonly resourceGroupName: pulumi.Input<string>;
  readonly location: pulumi.Input<string>;
  readonly tags?: pulumi.Input<Record<string, pulumi.Input<string>>>;
}

export function placeOf(args: VmssWorkerPoolArgs, invoke: pulumi.InvokeOptions): Place {
  const { resourceGroupName, location, tags } = args;
  return {
    resourceGroupName,
    location: location ?? getResourceGroupOutput({ resourceGroupName }, invoke).location,
    ...(tags === undefined ? {} : { tags }),
  };
}

/** `West Europe` and `westeurope` are one region. */
export function regionOf(location: string): string {
  return location.toLowerCase().replaceAll(' ', '');
}

/** Addresses of Azure's clouds. The regions of the other two are named after them. */
const clouds = {
  public: { portal: 'https://portal.azure.com', management: 'https://management.azure.com' },
  usGovernment: { portal: 'https://portal.azure.us', management: 'https://management.usgovcloudapi.net' },
  china: { portal: 'https://portal.azure.cn', management: 'https://management.chinacloudapi.cn' },
} as const;

function cloudOf(location: string) {
  const region = regionOf(location);
  if (/^us(gov|dod)/.test(region)) return clouds.usGovernment;
  return region.startsWith('china') ? clouds.china : clouds.public;
}

/** Address of Azure Resource Manager. */
export function managementOf(location: string): string {
  return cloudOf(location).management;
}

/** Address of the portal. */
export function portalOf(location: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi.output(location).apply((name) => cloudOf(name).portal);
}
