// The examples of pools, as their users would run them.
import * as pulumi from '@pulumi/pulumi';
import { describe, expect, it, vi } from 'vitest';
import { aws } from '../components/support/aws.js';
import { azure } from '../components/support/azure.js';
import { deploy, type Deployment } from '../components/support/deployment.js';
import { google } from '../components/support/google.js';
import { kubernetes } from '../components/support/kubernetes.js';
import { poolCredentials } from '../components/support/pool-credentials.js';

const values = {
  image: 'registry.test/launcher:1',
  resourceGroupName: 'group',
  subnetIds: '["subnet-1"]',
  networkStack: 'o/network/dev',
};

async function run(example: string, clouds: typeof aws): Promise<Deployment> {
  const pair = await poolCredentials();
  const settings = Object.entries({ ...values, ...pair }).map(([key, value]) => [`project:${key}`, value]);
  vi.resetModules();
  return deploy(() => {
    pulumi.runtime.setAllConfig(Object.fromEntries(settings) as Record<string, string>, [
      'project:token',
      'project:privateKey',
    ]);
    return import(`../../examples/${example}/index.ts`);
  }, clouds);
}

describe('the example', () => {
  it.each([
    ['aws', aws, 'aws:autoscaling/group:Group'],
    ['azure', azure, 'azure-native:compute:VirtualMachineScaleSet'],
    ['google', google, 'gcp:compute/regionInstanceGroupManager:RegionInstanceGroupManager'],
    ['kubernetes', kubernetes, 'kubernetes:workers.spacelift.io/v1beta1:WorkerPool'],
  ] as const)('%s makes a pool', async (name, clouds, group) => {
    const { resources } = await run(name, clouds);
    expect(resources.map(({ type }) => type)).toContain(group);
  });

  it('embedded hands its provider and tags on to everything', async () => {
    const network = {
      ...aws,
      states: (type: string, name: string, inputs: Record<string, unknown>) =>
        type === 'pulumi:pulumi:StackReference'
          ? { outputs: { privateSubnetIds: ['subnet-1'] } }
          : aws.states(type, name, inputs),
    };
    const deployment = await run('embedded', network);
    const made = deployment.resources.filter(({ type }) => type.startsWith('aws:'));
    expect(made.filter(({ provider }) => !provider.includes('frankfurt'))).toEqual([]);
    expect(deployment.one('LaunchTemplate').inputs).toMatchObject({
      instanceType: 't4g.small',
      metadataOptions: { httpPutResponseHopLimit: 2 },
      tags: { team: 'platform' },
    });
  });
});
