// What the machines' identity of a pool on Azure may do.
import * as pulumi from '@pulumi/pulumi';
import { getClientConfigOutput } from '@pulumi/azure-native/authorization/getClientConfig.js';
import { RoleAssignment } from '@pulumi/azure-native/authorization/roleAssignment.js';
import type { ChildOptions } from '../plan.js';

/** Built-in roles (Azure documentation, "Azure built-in roles"). */
const roles = {
  'Key Vault Secrets User': '4633458b-17de-408a-b874-0445c86b69e6',
  'Storage Blob Data Reader': '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1',
  AcrPull: '7f951dda-4ed3-4680-a7ca-43fe172d538d',
} as const;

/** Gives the identity one role on one thing. */
export function grant(
  name: string,
  role: keyof typeof roles,
  scope: pulumi.Input<string>,
  principalId: pulumi.Input<string>,
  options: ChildOptions,
): RoleAssignment {
  const { subscriptionId } = getClientConfigOutput({ parent: options.parent });
  return new RoleAssignment(
    name,
    {
      scope,
      principalId,
      // Without it Azure looks the identity up, and does not find one that was made a moment ago.
      principalType: 'ServicePrincipal',
      roleDefinitionId: pulumi.interpolate`/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${roles[role]}`,
    },
    options,
  );
}
