// Where a pool on EC2 is: the partition of the provider's region, the names that differ there, and whether the region
// offers the default machine type.
import * as pulumi from '@pulumi/pulumi';
import { getInstanceTypeOfferingsOutput } from '@pulumi/aws/ec2/getInstanceTypeOfferings.js';
import { getPartitionOutput } from '@pulumi/aws/getPartition.js';
import { getRegionOutput } from '@pulumi/aws/getRegion.js';
import type { ChosenMachine } from '../checks/machine.js';
import { throwFaults } from '../faults.js';
import type { Ec2WorkerPoolArgs } from './arguments.js';

/** Names that a partition has of its own. */
export interface Partition {
  /** As in ARNs. */
  readonly name: string;
  /** Domain of its services. */
  readonly domain: string;
  /** Domain of its console, which has a host per region. */
  readonly console: string;
  /** Who takes the role of a machine. In China EC2 is not known by its other name. */
  readonly ec2: string;
}

/** Sources: "AWS GovCloud (US) compared to standard Regions", "Endpoints and ARNs for AWS in China". */
const partitions: readonly Partition[] = [
  { name: 'aws', domain: 'amazonaws.com', console: 'console.aws.amazon.com', ec2: 'ec2.amazonaws.com' },
  {
    name: 'aws-us-gov',
    domain: 'amazonaws.com',
    console: 'console.amazonaws-us-gov.com',
    ec2: 'ec2.amazonaws.com',
  },
  {
    name: 'aws-cn',
    domain: 'amazonaws.com.cn',
    console: 'console.amazonaws.cn',
    ec2: 'ec2.amazonaws.com.cn',
  },
];

export interface Place {
  readonly region: pulumi.Output<string>;
  /** Fails where the partition is none of the known ones. */
  readonly partition: pulumi.Output<Partition>;
  /** Fails where nobody chose a machine type and the default is not offered. */
  readonly offered: pulumi.Output<unknown>;
}

export function placeOf(
  { type, name }: { readonly type: string; readonly name: string },
  args: Ec2WorkerPoolArgs,
  machine: ChosenMachine,
  invoke: pulumi.InvokeOptions,
): Place {
  const { region } = getRegionOutput({}, invoke);
  const partition = getPartitionOutput({}, invoke).partition.apply((found) => {
    const known = partitions.find((each) => each.name === found);
    if (known !== undefined) return known;
    const names = partitions.map((each) => each.name).join(', ');
    const reason = `is of the partition ${found}, whose services have other addresses; pools can be in ${names}`;
    return throwFaults(type, name, [{ path: 'provider', reason }]);
  });
  if (args.machineType !== undefined) return { region, partition, offered: pulumi.output(null) };
  const { machineType, architecture } = machine;
  const { instanceTypes } = getInstanceTypeOfferingsOutput(
    { filters: [{ name: 'instance-type', values: [machineType] }], locationType: 'region' },
    invoke,
  );
  const offered = pulumi.all([instanceTypes, region]).apply(([types, where]) => {
    if (types.includes(machineType)) return;
    const reason =
      `is missing, and ${machineType}, the default for ${architecture}, is not offered in ${where}. Choose one of ` +
      `aws ec2 describe-instance-type-offerings --region ${where}`;
    throwFaults(type, name, [{ path: 'machineType', reason }]);
  });
  return { region, partition, offered };
}
