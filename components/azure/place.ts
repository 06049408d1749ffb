// In which group, region and with which tags the resources of a pool on Azure are made.
import type * as pulumi from '@pulumi/pulumi';
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
