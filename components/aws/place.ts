// Where a pool on EC2 is: the partition of the provider's region, the names that differ there, and whether the region
// offers the default machine type.
import * as pulumi from '@pulumi/pulumi';
import { getInstanceTypeOfferings } from '@pulumi/aws/ec2/getInstanceTypeOfferings.js';
import { getPartition } from '@pulumi/aws/getPartition.js';
import { getRegion } from '@pulumi/aws/getRegion.js';
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

/** What is looked up before anything is made. */
export interface Place {
  readonly region: string;
  readonly partition: Partition;
}

/**
 * Fails where the partition is none of the known ones, and where nobody chose a machine type and the default is not offered.
 */
export function placeOf(
  component: { readonly type: string; readonly name: string },
  args: Ec2WorkerPoolArgs,
  machine: ChosenMachine,
  invoke: pulumi.InvokeOptions,
): pulumi.Output<Place> {
  return pulumi.output(lookUp(component, args, machine, invoke));
}

/** One output for all of it: each of its own would cost the deployer's program more than the question does. */
async function lookUp(
  component: { readonly type: string; readonly name: string },
  args: Ec2WorkerPoolArgs,
  machine: ChosenMachine,
  invoke: pulumi.InvokeOptions,
): Promise<Place> {
  const [{ region }, { partition }, offered] = await Promise.all([
    getRegion({}, invoke),
    getPartition({}, invoke),
    args.machineType === undefined ? isOffered(machine, invoke) : true,
  ]);
  if (!offered) {
    const reason =
      `is missing, and ${machine.machineType}, the default for ${machine.architecture}, is not offered in ${region}. ` +
      `Choose one of aws ec2 describe-instance-type-offerings --region ${region}`;
    throwFaults(component.type, component.name, [{ path: 'machineType', reason }]);
  }
  return { region, partition: partitionOf(component, partition) };
}

function partitionOf(
  { type, name }: { readonly type: string; readonly name: string },
  found: string,
): Partition {
  const known = partitions.find((each) => each.name === found);
  if (known !== undefined) return known;
  const names = partitions.map((each) => each.name).join(', ');
  const reason = `is of the partition ${found}, whose services have other addresses; pools can be in ${names}`;
  return throwFaults(type, name, [{ path: 'provider', reason }]);
}

async function isOffered({ machineType }: ChosenMachine, invoke: pulumi.InvokeOptions): Promise<boolean> {
  const { instanceTypes } = await getInstanceTypeOfferings(
    { filters: [{ name: 'instance-type', values: [machineType] }], locationType: 'region' },
    invoke,
  );
  return instanceTypes.includes(machineType);
}
