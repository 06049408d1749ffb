// Environment variables of a stack, as the API gives them. The value of a secret one never comes back.
import { z } from 'zod';
import { noSuchStack } from './stacks.js';
import type { ApiClient } from './client.js';

const variableSchema = z.object({
  id: z.string(),
  type: z.string(),
  /** Null when the variable is secret. */
  value: z.string().nullable(),
  writeOnly: z.boolean(),
  createdAt: z.int(),
});
export type StackVariable = z.infer<typeof variableSchema>;

const variableFields = 'id type value writeOnly createdAt';

export async function listVariables(client: ApiClient, stackId: string): Promise<StackVariable[]> {
  const { stack } = await client.request(
    `query ($id: ID!) { stack(id: $id) { config { ${variableFields} } } }`,
    { id: stackId },
    z.object({ stack: z.object({ config: z.array(variableSchema) }).nullable() }),
  );
  if (stack === null) throw noSuchStack(stackId);
  return stack.config;
}

/** Sets or replaces one variable. With `secret` the control plane seals it to the stack's pool on arrival. */
export async function setVariable(
  client: ApiClient,
  stackId: string,
  variable: { readonly name: string; readonly value: string; readonly secret: boolean },
): Promise<StackVariable> {
  const { stackConfigAdd } = await client.request(
    `mutation ($stack: ID!, $config: ConfigInput!) { stackConfigAdd(stack: $stack, config: $config) { ${variableFields} } }`,
    {
      stack: stackId,
      config: {
        id: variable.name,
        type: 'ENVIRONMENT_VARIABLE',
        value: variable.value,
        writeOnly: variable.secret,
      },
    },
    z.object({ stackConfigAdd: variableSchema }),
  );
  return stackConfigAdd;
}

export async function deleteVariable(client: ApiClient, stackId: string, name: string): Promise<void> {
  await client.request(
    'mutation ($stack: ID!, $id: ID!) { stackConfigDelete(stack: $stack, id: $id) { id } }',
    { stack: stackId, id: name },
    z.object({ stackConfigDelete: z.object({ id: z.string() }).nullable() }),
  );
}
