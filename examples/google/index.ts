// A worker pool on Google Cloud with a network of its own.
//   pulumi config set --secret token "$(cat pool.token)"
//   pulumi config set --secret privateKey < pool.key
//   pulumi config set gcp:project my-project
import { MigWorkerPool } from '@poolwright/workerpools/google';
import { Config } from '@pulumi/pulumi';

const config = new Config();

const pool = new MigWorkerPool('builds', {
  token: config.requireSecret('token'),
  privateKey: config.requireSecret('privateKey'),
  region: config.get('region') ?? 'europe-west4',
  size: { min: 1, max: 5 },
});

export const group = pool.groupId;
export const howToLook = pool.howToLook;
