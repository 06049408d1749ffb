// The image of a pool's machines on EC2.
import * as pulumi from '@pulumi/pulumi';
import { getAmiOutput } from '@pulumi/aws/ec2/getAmi.js';
import { throwFaults } from '../faults.js';
import type { Architecture } from '../launcher-artifact.js';
import type { Ec2WorkerPoolArgs } from './arguments.js';

/** Account that publishes Debian's official images in the commercial partition (wiki.debian.org/Cloud/AmazonEC2Image). */
const debianOwner = '136693071363';

/** The image and the name that its disk must have. */
export function imageOf(
  component: { readonly type: string; readonly name: string },
  args: Ec2WorkerPoolArgs,
  architecture: Architecture,
  partition: pulumi.Output<string>,
  invoke: pulumi.InvokeOptions,
): { id: pulumi.Output<string>; rootDeviceName: pulumi.Output<string> } {
  const given = args.image;
  const found =
    given === undefined
      ? getAmiOutput(
          {
            mostRecent: true,
            owners: [partition.apply((found) => debianPublisher(component, found))],
            filters: [
              { name: 'name', values: [`debian-12-${architecture === 'arm64' ? 'arm64' : 'amd64'}-*`] },
            ],
          },
          invoke,
        )
      : getAmiOutput({ filters: [{ name: 'image-id', values: [given] }] }, invoke);
  return { id: given === undefined ? found.id : pulumi.output(given), rootDeviceName: found.rootDeviceName };
}

/** Owner of the images; the machine's bootstrap needs one that is known. */
export function debianPublisher(
  { type, name }: { readonly type: string; readonly name: string },
  partition: string,
): string {
  if (partition === 'aws') return debianOwner;
  const reason = `is missing, and there is no official Debian image known in the partition ${partition}. Give an image with systemd and apt-get or dnf`;
  return throwFaults(type, name, [{ path: 'image', reason }]);
}
