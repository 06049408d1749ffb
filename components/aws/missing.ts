// Which machines of a group on EC2 did not become workers, and where their last words are.
import type { InvokeOptions } from '@pulumi/pulumi';
import { getInstances } from '@pulumi/aws/ec2/getInstances.js';
import type { KnownWorker } from '../waiting/workers.js';

/** The provider has no way to read a console, so each line has the command that does. */
export async function missingOnEc2(
  group: string,
  region: string,
  ready: readonly KnownWorker[],
  invoke: InvokeOptions,
): Promise<readonly string[]> {
  const { ids } = await getInstances(
    {
      filters: [{ name: 'tag:aws:autoscaling:groupName', values: [group] }],
      instanceStateNames: ['pending', 'running', 'shutting-down', 'terminated', 'stopping', 'stopped'],
    },
    invoke,
  );
  const up = new Set(ready.map(({ metadata }) => metadata['instance_id']));
  const missing = ids.filter((id) => !up.has(id));
  if (missing.length === 0) {
    return [
      'EC2 has started no further machine; why, says:',
      `  aws autoscaling describe-scaling-activities --region ${region} --auto-scaling-group-name ${group}`,
    ];
  }
  return missing.map(
    (id) =>
      `${id} is not a worker of this deployment; its last line says why: ` +
      `aws ec2 get-console-output --region ${region} --latest --output text --instance-id ${id} | grep poolwright: | tail -n 1`,
  );
}
