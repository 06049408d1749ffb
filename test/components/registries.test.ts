import { describe, expect, it } from 'vitest';
import type { Fault } from '../../protocol/errors.js';
import type { Cloud } from '../../components/machines.js';
import { registryHosts } from '../../components/registries.js';

const hostsOf = (cloud: Cloud, ...references: string[]) => {
  const faults: Fault[] = [];
  const hosts = registryHosts(cloud, references, faults);
  expect(faults).toEqual([]);
  return hosts;
};

describe('hosts of registries', () => {
  it('are told by what names the repositories of each cloud, each once', () => {
    expect(
      hostsOf(
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
      hostsOf(
        'azure',
        '/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/Builds',
      ),
    ).toEqual(['builds.azurecr.io', 'builds.azurecr.cn', 'builds.azurecr.us']);
    expect(hostsOf('google', 'projects/p/locations/europe-west4/repositories/r')).toEqual([
      'europe-west4-docker.pkg.dev',
    ]);
  });

  it('have no others: each that is none is named', () => {
    const faults: Fault[] = [];
    const good = 'projects/p/locations/europe-west4/repositories/r';
    expect(registryHosts('google', ['gcr.io/p', good, 7], faults)).toEqual(['europe-west4-docker.pkg.dev']);
    const expected = 'expected "projects/P/locations/L/repositories/R"';
    expect(faults).toEqual([
      { path: 'dockerRegistries[0]', reason: `${expected}, got "gcr.io/p"` },
      { path: 'dockerRegistries[2]', reason: `${expected}, got 7` },
    ]);
    expect(registryHosts('google', good, faults)).toEqual([]);
    expect(faults.at(-1)).toEqual({ path: 'dockerRegistries', reason: 'expected a list' });
  });
});
