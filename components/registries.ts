// The hosts of the registries that a pool may pull from, by what names their repositories in each cloud.
import type { Fault } from '../protocol/errors.js';
import type { Cloud } from './machines.js';

interface Kind {
  readonly pattern: RegExp;
  readonly expected: string;
  readonly hosts: (...parts: string[]) => readonly string[];
}

const kinds: Readonly<Record<Cloud, Kind>> = {
  aws: {
    pattern: /^arn:(aws[\w-]*):ecr:([\w-]+):(\d{12}):repository\/.+$/,
    expected: 'an ARN such as "arn:aws:ecr:eu-west-1:123456789012:repository/runner"',
    hosts: (partition, region, account) => [
      `${account}.dkr.ecr.${region}.amazonaws.com${partition === 'aws-cn' ? '.cn' : ''}`,
    ],
  },
  azure: {
    pattern: /^\/subscriptions\/.+\/Microsoft\.ContainerRegistry\/registries\/(\w+)$/i,
    expected: 'a resource id that ends with "/Microsoft.ContainerRegistry/registries/NAME"',
    // The id does not tell in which of Azure's clouds the registry is.
    hosts: (name) => ['io', 'cn', 'us'].map((cloud) => `${name.toLowerCase()}.azurecr.${cloud}`),
  },
  google: {
    pattern: /^projects\/[^/]+\/locations\/([^/]+)\/repositories\/[^/]+$/,
    expected: '"projects/P/locations/L/repositories/R"',
    hosts: (location) => [`${location}-docker.pkg.dev`],
  },
};

/** Each host once; what is no reference to a registry is a fault. */
export function registryHosts(cloud: Cloud, references: unknown, faults: Fault[]): string[] {
  if (!Array.isArray(references)) {
    faults.push({ path: 'dockerRegistries', reason: 'expected a list' });
    return [];
  }
  const { pattern, expected, hosts } = kinds[cloud];
  const found = references.flatMap((reference: unknown, index) => {
    const [, ...parts] = (typeof reference === 'string' ? pattern.exec(reference) : null) ?? [];
    if (parts.length > 0) return hosts(...parts);
    const reason = `expected ${expected}, got ${JSON.stringify(reference)}`;
    faults.push({ path: `dockerRegistries[${String(index)}]`, reason });
    return [];
  });
  return [...new Set(found)];
}
