import * as pulumi from '@pulumi/pulumi';
import { describe, expect, it } from 'vitest';
import { rollOut } from '../../components/rollout.js';
import { aws } from './support/aws.js';
import { azure } from './support/azure.js';
import { deploy } from './support/deployment.js';
import { google } from './support/google.js';
import { kubernetes } from './support/kubernetes.js';
import { poolCredentials } from './support/pool-credentials.js';

const clouds = {
  states: (...args: Parameters<typeof aws.states>) => {
    const [type] = args;
    if (type.startsWith('aws:')) return aws.states(...args);
    if (type.startsWith('kubernetes:')) return kubernetes.states(...args);
    return type.startsWith('gcp:') ? google.states(...args) : azure.states(...args);
  },
  answers: (...args: Parameters<typeof aws.answers>) => {
    const [token] = args;
    if (token.startsWith('aws:')) return aws.answers(...args);
    return token.startsWith('gcp:') ? google.answers(...args) : azure.answers(...args);
  },
};

function configured(values: Record<string, unknown>): pulumi.Config {
  pulumi.runtime.setAllConfig(
    Object.fromEntries(
      Object.entries(values).map(([key, value]) => [`poolwright:${key}`, JSON.stringify(value)]),
    ),
    ['poolwright:credentials'],
  );
  return new pulumi.Config('poolwright');
}

describe('the rollout', () => {
  it('puts one launcher version into pools on several clouds', async () => {
    const pair = await poolCredentials();
    const { resources } = await deploy(
      () =>
        rollOut(
          configured({
            pools: {
              europe: { cloud: 'aws', subnetIds: ['subnet-1'] },
              builds: { cloud: 'google', region: 'europe-west4', size: { min: 1, max: 3 } },
              azure: {
                cloud: 'azure',
                resourceGroupName: 'group',
                credentials: 'https://v.vault.azure.net/secrets/s',
              },
              cluster: { cloud: 'kubernetes', launcher: { image: 'i:1' } },
              registered: {
                cloud: 'kubernetes',
                launcher: { image: 'i:1' },
                apiCredentials: { secretName: 'key' },
                namespace: 'runs',
              },
            },
            credentials: { europe: pair, builds: pair, cluster: pair },
          }),
        ),
      clouds,
    );
    const pools = resources.filter(({ type }) => type.startsWith('workerpools:'));
    expect(pools.map(({ type, name }) => `${type} ${name}`).sort()).toEqual([
      'workerpools:index:Ec2WorkerPool europe',
      'workerpools:index:KubernetesWorkerPool cluster',
      'workerpools:index:KubernetesWorkerPool registered',
      'workerpools:index:MigWorkerPool builds',
      'workerpools:index:VmssWorkerPool azure',
    ]);
    const objects = resources.filter(({ type }) => /:(BucketObjectv2|BucketObject|Blob)$/.test(type));
    const names = objects.map(({ inputs }) => String(inputs['key'] ?? inputs['name'] ?? inputs['blobName']));
    expect(new Set(names).size).toBe(1);
  });

  it('says what is wrong with the configuration, and makes nothing', async () => {
    const failures = [
      [{ pools: { a: { cloud: 'mars' } } }, /pools\.a\.cloud/],
      [
        {
          pools: {
            a: {
              cloud: 'aws',
              credentials: 'arn',
              subnetIds: ['s'],
              spott: true,
              launcher: { runTimeOut: '1h' },
            },
          },
        },
        /spott: is not an argument[^]*launcher\.runTimeOut: is not an argument/,
      ],
      [{ pools: { a: { cloud: 'aws' } } }, /pulumi config set --secret --path 'credentials\.a\.token'/],
    ] as const;
    for (const [values, message] of failures) {
      const { resources } = await deploy(
        () => expect(rollOut(configured(values))).rejects.toThrow(message),
        clouds,
      );
      expect(resources.filter(({ type }) => !type.startsWith('workerpools:'))).toEqual([]);
    }
  });
});
