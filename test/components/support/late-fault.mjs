// A pool whose token and key come late, as outputs, from the environment; `answers` and `arguments` there are JSON that
// replaces the cloud's answers to look-ups and adds to the pool's arguments.
import process from 'node:process';
import * as pulumi from '@pulumi/pulumi';

await pulumi.runtime.setMocks({
  newResource({ type, name, inputs }) {
    process.stdout.write(`made ${type}\n`);
    return { id: `${name}-id`, state: inputs };
  },
  call: () => ({
    partition: 'aws',
    region: 'eu-west-1',
    id: 'ami',
    rootDeviceName: '/dev/xvda',
    vpcId: 'vpc',
    instanceTypes: ['t3.small'],
    ...JSON.parse(process.env['answers'] ?? '{}'),
  }),
});
const { Ec2WorkerPool } = await import('../../../dist/components/ec2-worker-pool.js');
new Ec2WorkerPool('builds', {
  token: pulumi.secret(process.env['token'] ?? ''),
  privateKey: pulumi.secret(process.env['privateKey'] ?? ''),
  subnetIds: ['subnet-1'],
  ...JSON.parse(process.env['arguments'] ?? '{}'),
});
await pulumi.runtime.disconnect();
