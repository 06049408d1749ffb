// Which machines of a group on Google Cloud did not become workers, and their last words on the serial console.
import type { InvokeOptions } from '@pulumi/pulumi';
import { getInstanceSerialPort } from '@pulumi/gcp/compute/getInstanceSerialPort.js';
import { getRegionInstanceGroup } from '@pulumi/gcp/compute/getRegionInstanceGroup.js';
import { messageOf } from '../../protocol/errors.js';
import type { KnownWorker } from '../waiting/workers.js';

/** `group`: `projects/P/regions/R/instanceGroupManagers/N`. */
export async function missingOnGoogle(
  group: string,
  ready: readonly KnownWorker[],
  invoke: InvokeOptions,
): Promise<readonly string[]> {
  const [, project = '', , region = '', , name = ''] = group.split('/');
  const { instances } = await getRegionInstanceGroup({ name, project, region }, invoke);
  const up = new Set(ready.map(({ metadata }) => metadata['gcp_instance_id']));
  const places = instances
    .map(({ instance }) => /projects\/[^/]+\/zones\/[^/]+\/instances\/[^/]+$/.exec(instance)?.[0] ?? instance)
    .filter((place) => !up.has(place));
  if (places.length === 0) {
    return [
      'Google Cloud has started no further machine; why, says:',
      `  gcloud compute instance-groups managed list-errors ${name} --project ${project} --region ${region}`,
    ];
  }
  return Promise.all(
    places.map(async (place) => {
      const [, , , zone = '', , instance = ''] = place.split('/');
      const last = await getInstanceSerialPort({ project, zone, instance, port: 1 }, invoke)
        .then(({ contents }) => contents.split('\n').findLast((line) => line.includes('poolwright:')))
        .catch((error: unknown) => `its console could not be read: ${messageOf(error)}`);
      return `${instance} is not a worker of this deployment: ${last?.trim() ?? 'its console says nothing yet'}`;
    }),
  );
}
