// A worker pool on Azure, in a resource group that exists already, with a network of its own.
//   pulumi config set --secret token "$(cat pool.token)"
//   pulumi config set --secret privateKey < pool.key
//   pulumi config set resourceGroupName builds
import { VmssWorkerPool } from '@poolwright/workerpools/azure';
import { Config } from '@pulumi/pulumi';

const config = new Config();

const pool = new VmssWorkerPool('builds', {
  token: config.requireSecret('token'),
  privateKey: config.requireSecret('privateKey'),
  resourceGroupName: config.require('resourceGroupName'),
  size: { min: 1, max: 5 },
});

export const scaleSet = pool.scaleSetId;
export const howToLook = pool.howToLook;
