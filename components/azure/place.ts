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

/** Address of the portal: the regions of Azure's other clouds are named after them. */
export function portalOf(location: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi.output(location).apply((name) => {
    const region = name.toLowerCase().replaceAll(' ', '');
    if (/^us(gov|dod)/.test(region)) return 'https://portal.azure.us';
    return region.startsWith('china') ? 'https://portal.azure.cn' : 'https://portal.azure.com';
  });
}
