// Stacks and their variables, as the API gives them.
import { z } from 'zod';
import { PoolwrightError } from '../../../protocol/errors.js';
import { tools, type Tool } from '../../../protocol/runs.js';
import type { ApiClient } from './client.js';

/** Names of the lists of shell commands that a stack holds, as the API spells them. */
export const hookNames = [
  'beforeInit',
  'afterInit',
  'beforePlan',
  'afterPlan',
  'beforeApply',
  'afterApply',
  'beforePerform',
  'afterPerform',
] as const;
export const commandNames = ['planCommands', 'applyCommands', 'destroyCommands'] as const;

const stackFields = `id name description labels space tool repository branch projectRoot runnerImage autodeploy
  administrative disabled lockedBy state createdAt updatedAt workerPool { id name }
  ${hookNames.join(' ')} ${commandNames.join(' ')}`;

const commands = z.array(z.string());

/** The tool as people write it; the API's enumeration has capitals. */
const toolSchema = z.string().transform((name) => name.toLowerCase());

const stackSchema = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  labels: z.array(z.string()),
  space: z.string(),
  tool: toolSchema,
  repository: z.string().nullable(),
  branch: z.string().nullable(),
  projectRoot: z.string().nullable(),
  runnerImage: z.string().nullable(),
  autodeploy: z.boolean(),
  administrative: z.boolean(),
  disabled: z.boolean(),
  lockedBy: z.string().nullable(),
  /** State of its newest run; null before the first one. */
  state: z.string().nullable(),
  createdAt: z.int(),
  updatedAt: z.int(),
  workerPool: z.object({ id: z.string(), name: z.string() }).nullable(),
  beforeInit: commands,
  afterInit: commands,
  beforePlan: commands,
  afterPlan: commands,
  beforeApply: commands,
  afterApply: commands,
  beforePerform: commands,
  afterPerform: commands,
  planCommands: commands,
  applyCommands: commands,
  destroyCommands: commands,
});
export type Stack = z.infer<typeof stackSchema>;

const optionalCommands = z.array(z.string()).optional();
const optionalText = z.string().nullable().optional();

/** What a stack is created or changed from; also the shape of a stack file (docs/cli.md, "Stack files"). */
export const stackInputSchema = z.strictObject({
  id: z.string().optional(),
  name: z.string().optional(),
  description: optionalText,
  labels: z.array(z.string()).optional(),
  space: z.string().optional(),
  tool: z.enum(tools).optional(),
  repository: optionalText,
  branch: optionalText,
  projectRoot: optionalText,
  runnerImage: optionalText,
  autodeploy: z.boolean().optional(),
  administrative: z.boolean().optional(),
  beforeInit: optionalCommands,
  afterInit: optionalCommands,
  beforePlan: optionalCommands,
  afterPlan: optionalCommands,
  beforeApply: optionalCommands,
  afterApply: optionalCommands,
  beforePerform: optionalCommands,
  afterPerform: optionalCommands,
  planCommands: optionalCommands,
  applyCommands: optionalCommands,
  destroyCommands: optionalCommands,
});
export type StackInput = z.infer<typeof stackInputSchema> & {
  /** Id of the pool; null takes the pool away. */
  readonly workerPool?: string | null | undefined;
};

function forApi(input: StackInput): Record<string, unknown> {
  const tool: Tool | undefined = input.tool;
  return { ...input, ...(tool === undefined ? {} : { tool: tool.toUpperCase() }) };
}

/** All stacks, by name. */
export async function listStacks(client: ApiClient): Promise<Stack[]> {
  const schema = z.object({
    searchStacks: z.object({
      edges: z.array(z.object({ node: stackSchema })),
      pageInfo: z.object({ endCursor: z.string().nullable(), hasNextPage: z.boolean() }),
    }),
  });
  const found: Stack[] = [];
  for (let after: string | null = null; ;) {
    const { searchStacks }: z.infer<typeof schema> = await client.request(
      `query ($input: SearchInput!) {
        searchStacks(input: $input) { edges { node { ${stackFields} } } pageInfo { endCursor hasNextPage } }
      }`,
      { input: { first: 50, after } },
      schema,
    );
    found.push(...searchStacks.edges.map(({ node }) => node));
    after = searchStacks.pageInfo.endCursor;
    if (!searchStacks.pageInfo.hasNextPage || after === null) break;
  }
  return found.toSorted((left, right) => left.name.localeCompare(right.name));
}

/** The stack, or undefined when there is none with this id. */
export async function getStack(client: ApiClient, id: string): Promise<Stack | undefined> {
  const { stack } = await client.request(
    `query ($id: ID!) { stack(id: $id) { ${stackFields} } }`,
    { id },
    z.object({ stack: stackSchema.nullable() }),
  );
  return stack ?? undefined;
}

/** The NOT_FOUND of every command that names a stack. */
export function noSuchStack(id: string): PoolwrightError {
  return new PoolwrightError(
    'NOT_FOUND',
    `There is no stack "${id}". \`poolwright stack list\` shows those there are.`,
  );
}

export async function createStack(client: ApiClient, input: StackInput): Promise<Stack> {
  const { stackCreate } = await client.request(
    `mutation ($input: StackInput!) { stackCreate(input: $input) { ${stackFields} } }`,
    { input: forApi(input) },
    z.object({ stackCreate: stackSchema }),
  );
  return stackCreate;
}

/** What `input` leaves out stays; null clears. */
export async function updateStack(client: ApiClient, id: string, input: StackInput): Promise<Stack> {
  const { stackUpdate } = await client.request(
    `mutation ($id: ID!, $input: StackInput!) { stackUpdate(id: $id, input: $input) { ${stackFields} } }`,
    { id, input: forApi(input) },
    z.object({ stackUpdate: stackSchema }),
  );
  return stackUpdate;
}

export async function deleteStack(client: ApiClient, id: string): Promise<void> {
  await client.request(
    'mutation ($id: ID!) { stackDelete(id: $id) { id } }',
    { id },
    z.object({ stackDelete: z.object({ id: z.string() }).nullable() }),
  );
}
