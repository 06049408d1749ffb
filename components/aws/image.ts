// The image of a pool's machines on EC2.
import * as pulumi from '@pulumi/pulumi';
import { getAmi, getAmiOutput } from '@pulumi/aws/ec2/getAmi.js';
import { throwFaults } from '../faults.js';
import type { Architecture } from '../launcher-artifact.js';
import type { Place } from './place.js';

/** Account that publishes Debian's official images in the commercial partition (wiki.debian.org/Cloud/AmazonEC2Image). */
const debianOwner = '136693071363';

/** An image, and the name that the disk of its machines must have. */
export interface Image {
  readonly id: pulumi.Output<string>;
  readonly rootDeviceName: pulumi.Output<string>;
}

/** The given image, or the newest of Debian; fails where there is none for the pool. */
export function imageOf(
  component: { readonly type: string; readonly name: string },
  given: pulumi.Input<string> | undefined,
  architecture: Architecture,
  place: pulumi.Output<Place>,
  invoke: pulumi.InvokeOptions,
): Image {
  if (given !== undefined) {
    const { rootDeviceName } = getAmiOutput({ filters: [{ name: 'image-id', values: [given] }] }, invoke);
    return { id: pulumi.output(given), rootDeviceName };
  }
  const pattern = `debian-12-${architecture === 'arm64' ? 'arm64' : 'amd64'}-*`;
  const found = place.apply(({ partition }) =>
    getAmi(
      {
        mostRecent: true,
        owners: [debianPublisher(component, partition.name)],
        filters: [{ name: 'name', values: [pattern] }],
      },
      invoke,
    ),
  );
  return { id: found.id, rootDeviceName: found.rootDeviceName };
}

/** Owner of the images; the machine's bootstrap needs one that is known. */
function debianPublisher(
  { type, name }: { readonly type: string; readonly name: string },
  partition: string,
): string {
  if (partition === 'aws') return debianOwner;
  const reason = `is missing, and there is no official Debian image known in the partition ${partition}. Give an image with systemd and apt-get or dnf`;
  return throwFaults(type, name, [{ path: 'image', reason }]);
}
