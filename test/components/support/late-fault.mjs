// A pool whose token and key come late, as outputs, from the environment; `answers` and `arguments` there are JSON that
// replaces the cloud's answers to look-ups and adds to the pool's arguments, `outputs` as ones that come late. With `kubernetes`, a pool of that kind; with
// `secret`, one whose runs have that value as a variable in clear.
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
const given = {
  token: pulumi.secret(process.env['token'] ?? ''),
  privateKey: pulumi.secret(process.env['privateKey'] ?? ''),
  ...JSON.parse(process.env['arguments'] ?? '{}'),
  ...Object.fromEntries(
    Object.entries(JSON.parse(process.env['outputs'] ?? '{}')).map(([key, value]) => [
      key,
      pulumi.output(value),
    ]),
  ),
};
if (process.env['kubernetes'] === undefined) {
  const { Ec2WorkerPool } = await import('../../../dist/components/ec2-worker-pool.js');
  new Ec2WorkerPool('builds', { subnetIds: ['subnet-1'], ...given });
} else {
  const { KubernetesWorkerPool } = await import('../../../dist/components/kubernetes-worker-pool.js');
  const value = process.env['secret'];
  const env = value === undefined ? [] : [{ name: 'API_KEY', value: pulumi.secret(value) }];
  new KubernetesWorkerPool('builds', {
    launcher: { image: 'registry.test/launcher:1' },
    pod: { workerContainer: { env } },
    ...given,
  });
}
await pulumi.runtime.disconnect();
