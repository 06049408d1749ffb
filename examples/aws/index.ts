// A worker pool on AWS EC2 in subnets that exist already.
//   pulumi config set --secret token "$(cat pool.token)"
//   pulumi config set --secret privateKey < pool.key
//   pulumi config set --path 'subnetIds[0]' subnet-0123456789abcdef0
import { Ec2WorkerPool } from '@poolwright/workerpools/aws';
import { Config } from '@pulumi/pulumi';

const config = new Config();

const pool = new Ec2WorkerPool('builds', {
  token: config.requireSecret('token'),
  privateKey: config.requireSecret('privateKey'),
  subnetIds: config.requireObject<string[]>('subnetIds'),
  size: { min: 1, max: 5 },
});

export const group = pool.groupName;
export const howToLook = pool.howToLook;
