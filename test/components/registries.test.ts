import { describe, expect, it } from 'vitest';
import type { Cloud } from '../../components/machines.js';
import { registryHosts } from '../../components/registries.js';
import { valueOf } from './support/deployment.js';

const hostsOf = async (cloud: Cloud, ...references: string[]) =>
  (await valueOf(registryHosts(cloud, references))).value;

describe('hosts of registries', () => {
  it('are told by what names the repositories of each cloud, each once', async () => {
    expect(
      await hostsOf(
        'aws',
        'arn:aws:ecr:eu-west-1:123456789012:repository/team/runner',
        'arn:aws:ecr:eu-west-1:123456789012:repository/other',
        'arn:aws-cn:ecr:cn-north-1:123456789012:repository/runner',
      ),
    ).toEqual([
      '123456789012.dkr.ecr.eu-west-1.amazonaws.com',
      '123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn',
    ]);
    expect(
      await hostsOf(
        'azure',
        '/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/Builds',
      ),
    ).toEqual(['builds.azurecr.io', 'builds.azurecr.cn', 'builds.azurecr.us']);
    expect(await hostsOf('google', 'projects/p/locations/europe-west4/repositories/r')).toEqual([
      'europe-west4-docker.pkg.dev',
    ]);
    expect((await valueOf(registryHosts('aws', undefined))).value).toEqual([]);
  });
});
