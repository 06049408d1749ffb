// Who may pull from registries on Google Cloud.
import * as pulumi from '@pulumi/pulumi';
import { RepositoryIamMember } from '@pulumi/gcp/artifactregistry/repositoryIamMember.js';
import type { ChildOptions } from '../plan.js';
import type { MigWorkerPoolArgs } from './arguments.js';

export function registryReaders(
  name: string,
  args: MigWorkerPoolArgs,
  member: pulumi.Input<string>,
  options: ChildOptions,
): pulumi.Resource[] {
  const registries = Array.isArray(args.dockerRegistries) ? args.dockerRegistries : [];
  return registries.map((registry: pulumi.Input<string>, index) => {
    const parts = pulumi
      .output(registry)
      .apply((id) => /^projects\/([^/]+)\/locations\/([^/]+)\/repositories\/([^/]+)$/.exec(id));
    const part = (number: number) =>
      parts.apply((found) => {
        if (found?.[number] !== undefined) return found[number];
        throw new pulumi.InputPropertyError({
          propertyPath: `dockerRegistries[${String(index)}]`,
          reason: 'expected "projects/P/locations/L/repositories/R"',
        });
      });
    return new RepositoryIamMember(
      `${name}-registry-${String(index)}`,
      {
        project: part(1),
        location: part(2),
        repository: part(3),
        role: 'roles/artifactregistry.reader',
        member,
      },
      options,
    );
  });
}
