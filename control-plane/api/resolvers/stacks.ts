// Stacks and their environment.
import { PoolwrightError } from '../../../protocol/errors.js';
import { hooksSchema, type Hooks } from '../../../protocol/messages.js';
import { toolSchema, type RunState } from '../../../protocol/runs.js';
import { findSpace, spacesAbove } from '../../access/spaces.js';
import { findPool } from '../../pools/pools.js';
import { findRun, listRuns } from '../../runs/runs.js';
import { createStack, deleteStack, findStack, getStack, updateStack } from '../../stacks/stacks.js';
import type { StackFields } from '../../stacks/fields.js';
import {
  addDependency,
  dependenciesOf,
  findDependency,
  removeDependency,
} from '../../stacks/dependencies.js';
import { releaseLock, setDisabled, setLock } from '../../stacks/locks.js';
import { searchStacks } from '../../stacks/search.js';
import { deleteVariable, listVariables, setVariable } from '../../stacks/variables.js';
import type { DependencyRow, StackRow, VariableRow } from '../../store/schema.js';
import type { StackCommands } from '../../store/stack-tables.js';
import type { SearchInput } from '../../store/search.js';
import { identityOf, rightsOf, seconds, stackFor, visibleStack, type ApiRequest } from '../request.js';

type Nullable<T> = { readonly [Key in keyof T]?: T[Key] | null };

interface StackInput
  extends
    Nullable<Omit<StackFields, 'poolId' | 'hooks' | 'commands' | 'tool' | 'driftDetection'>>,
    Nullable<Hooks> {
  readonly id?: string | null;
  readonly workerPool?: string | null;
  readonly tool?: string | null;
  readonly planCommands?: readonly string[] | null;
  readonly applyCommands?: readonly string[] | null;
  readonly destroyCommands?: readonly string[] | null;
  readonly driftDetection?: { readonly everyMinutes: number; readonly reconcile?: boolean | null } | null;
}

const hookNames = Object.keys(hooksSchema.shape) as (keyof Hooks)[];

/** The rules' fields: what is not in the input is not there; null is the field's own way of being empty. */
function fieldsOf(input: StackInput, before: StackRow | undefined): Partial<StackFields> {
  const hooks = Object.fromEntries(
    hookNames.map((name) => [
      name,
      input[name] === undefined ? (before?.hooks[name] ?? []) : (input[name] ?? []),
    ]),
  ) as Hooks;
  const commands: StackCommands = {
    plan: listOf(input.planCommands, before?.commands.plan),
    apply: listOf(input.applyCommands, before?.commands.apply),
    destroy: listOf(input.destroyCommands, before?.commands.destroy),
  };
  return {
    ...given('name', input.name, ''),
    ...given('description', input.description, ''),
    ...given('labels', input.labels, []),
    ...given('space', input.space, 'root'),
    ...given('branch', input.branch, 'main'),
    ...given('autodeploy', input.autodeploy, false),
    ...given('administrative', input.administrative, false),
    ...given('repository', input.repository, null),
    ...given('projectRoot', input.projectRoot, null),
    ...given('runnerImage', input.runnerImage, null),
    ...given('poolId', input.workerPool, null),
    ...given('driftDetection', driftOf(input.driftDetection), null),
    ...(input.tool == null ? {} : { tool: toolSchema.parse(input.tool.toLowerCase()) }),
    hooks,
    commands,
  };
}

function driftOf(input: StackInput['driftDetection']): StackFields['driftDetection'] | undefined {
  return input == null ? input : { every: input.everyMinutes, reconcile: input.reconcile ?? false };
}

function listOf(value: readonly string[] | null | undefined, before: string[] | undefined): string[] {
  return value === undefined ? (before ?? []) : [...(value ?? [])];
}

function given<Key extends keyof StackFields>(
  key: Key,
  value: StackFields[Key] | null | undefined,
  empty: StackFields[Key],
): Partial<StackFields> {
  return value === undefined ? {} : { [key]: value ?? empty };
}

/** Into which space and to which pool a stack is moved: what one does not see is not there. */
async function assertTargets(request: ApiRequest, { space, workerPool }: StackInput): Promise<void> {
  // Null is the field's own way of being empty: the stack then lives at the root.
  if (space !== undefined) rightsOf(request).assert('operate', space ?? 'root');
  if (workerPool == null) return;
  const pool = await findPool(request.context, workerPool);
  const usable = await usableSpaces(request);
  if (pool === undefined || pool.public || !(usable === null || usable.has(pool.space)))
    throw new PoolwrightError('NOT_FOUND', `There is no worker pool ${workerPool}.`);
}

/** Those one sees, and those above one's own, whose pools one's stacks may use. Null: all. */
async function usableSpaces(request: ApiRequest): Promise<ReadonlySet<string> | null> {
  const { spaces } = rightsOf(request);
  return spaces === null ? null : new Set(await spacesAbove(request.context, spaces));
}

/** Of dependencies, those whose both ends one sees. */
async function seenOnly(request: ApiRequest, rows: readonly DependencyRow[]): Promise<DependencyRow[]> {
  const rights = rightsOf(request);
  if (rights.spaces === null) return [...rows];
  const seen: DependencyRow[] = [];
  for (const row of rows) {
    const ends = [
      await findStack(request.context, row.stack_id),
      await findStack(request.context, row.depends_on),
    ];
    if (ends.every((stack) => stack !== undefined && rights.sees(stack.space))) seen.push(row);
  }
  return seen;
}

interface Id {
  readonly id: string;
}

interface Before {
  readonly before?: string | null;
}

export const stackResolvers = {
  Query: {
    stack: async (_: unknown, { id }: Id, request: ApiRequest) => (await visibleStack(request, id)) ?? null,
    searchStacks: (_: unknown, { input }: { input: SearchInput }, request: ApiRequest) =>
      searchStacks(request.context, input, rightsOf(request).spaces),
  },
  Mutation: {
    stackCreate: async (_: unknown, { input }: { input: StackInput }, request: ApiRequest) => {
      rightsOf(request).assert('operate', input.space ?? 'root');
      if (input.name == null)
        throw new PoolwrightError('INVALID_ARGUMENT', 'Expected a name for the new stack.');
      await assertTargets(request, input);
      const id = input.id == null ? {} : { id: input.id };
      return createStack(request.context, { ...fieldsOf(input, undefined), ...id, name: input.name });
    },
    stackUpdate: async (_: unknown, { id, input }: Id & { input: StackInput }, request: ApiRequest) => {
      const before = await stackFor(request, id, 'operate');
      await assertTargets(request, input);
      return updateStack(request.context, id, fieldsOf(input, before));
    },
    stackDelete: async (_: unknown, { id }: Id, request: ApiRequest) => {
      await stackFor(request, id, 'operate');
      return deleteStack(request.context, id);
    },
    stackConfigAdd: async (
      _: unknown,
      { stack, config }: { stack: string; config: { id: string; value: string; writeOnly: boolean } },
      request: ApiRequest,
    ) => {
      await stackFor(request, stack, 'operate');
      const { id, value, writeOnly } = config;
      return setVariable(request.context, { stack, name: id, value, writeOnly });
    },
    stackConfigDelete: async (_: unknown, { stack, id }: Id & { stack: string }, request: ApiRequest) => {
      await stackFor(request, stack, 'operate');
      return deleteVariable(request.context, stack, id);
    },
    stackLock: async (_: unknown, { id, note }: Id & { note?: string | null }, request: ApiRequest) => {
      await stackFor(request, id, 'operate');
      return setLock(request.context, id, { by: identityOf(request).name, note: note ?? null });
    },
    stackUnlock: async (_: unknown, { id }: Id, request: ApiRequest) => {
      await stackFor(request, id, 'operate');
      return releaseLock(request.context, id);
    },
    stackEnable: async (_: unknown, { id }: Id, request: ApiRequest) => {
      await stackFor(request, id, 'operate');
      return setDisabled(request.context, id, false);
    },
    stackDisable: async (_: unknown, { id }: Id, request: ApiRequest) => {
      await stackFor(request, id, 'operate');
      return setDisabled(request.context, id, true);
    },
    stackDependencyCreate: async (
      _: unknown,
      { input }: { input: { stackId: string; dependsOnStackId: string } },
      request: ApiRequest,
    ) => {
      await stackFor(request, input.stackId, 'operate');
      await stackFor(request, input.dependsOnStackId, 'operate');
      return addDependency(request.context, { stack: input.stackId, dependsOn: input.dependsOnStackId });
    },
    stackDependencyDelete: async (_: unknown, { id }: Id, request: ApiRequest) => {
      const rights = rightsOf(request);
      const found = await findDependency(request.context, id);
      const stack = found === undefined ? undefined : await visibleStack(request, found.stack_id);
      if (stack === undefined)
        throw new PoolwrightError('NOT_FOUND', `There is no dependency ${id} between stacks.`);
      rights.assert('operate', stack.space);
      return removeDependency(request.context, id);
    },
  },
  Stack: {
    spaceDetails: ({ space }: StackRow, _: unknown, { context }: ApiRequest) => findSpace(context, space),
    tool: ({ tool }: StackRow) => tool.toUpperCase(),
    projectRoot: (stack: StackRow) => stack.project_root,
    runnerImage: (stack: StackRow) => stack.runner_image,
    isDisabled: (stack: StackRow) => stack.disabled,
    lockedBy: (stack: StackRow) => stack.locked_by,
    driftDetection: ({ drift_detection: drift, drift_next_at: next }: StackRow) =>
      drift === null
        ? null
        : {
            everyMinutes: drift.every,
            reconcile: drift.reconcile,
            nextAt: next === null ? null : seconds(next),
          },
    lockNote: (stack: StackRow) => stack.lock_note,
    lockedAt: (stack: StackRow) => (stack.locked_at === null ? null : seconds(stack.locked_at)),
    dependsOn: async ({ id }: StackRow, _: unknown, request: ApiRequest) =>
      seenOnly(request, (await dependenciesOf(request.context, id)).up),
    isDependedOnBy: async ({ id }: StackRow, _: unknown, request: ApiRequest) =>
      seenOnly(request, (await dependenciesOf(request.context, id)).down),
    createdAt: (stack: StackRow) => seconds(stack.created_at),
    updatedAt: (stack: StackRow) => seconds(stack.updated_at),
    state: async ({ id }: StackRow, _: unknown, { context }: ApiRequest): Promise<RunState | null> =>
      (await listRuns(context, { stack: id, limit: 1 }))[0]?.state ?? null,
    workerPool: async ({ pool_id }: StackRow, _: unknown, { context }: ApiRequest) =>
      pool_id === null ? null : ((await findPool(context, pool_id)) ?? null),
    ...Object.fromEntries(hookNames.map((name) => [name, ({ hooks }: StackRow) => hooks[name]])),
    planCommands: ({ commands }: StackRow) => commands.plan,
    applyCommands: ({ commands }: StackRow) => commands.apply,
    destroyCommands: ({ commands }: StackRow) => commands.destroy,
    config: ({ id }: StackRow, _: unknown, { context }: ApiRequest) => listVariables(context, id),
    run: async ({ id: stack }: StackRow, { id }: Id, { context }: ApiRequest) => {
      const run = await findRun(context, id);
      return run?.stack_id === stack ? run : null;
    },
    runs: ({ id }: StackRow, { before }: Before, { context }: ApiRequest) =>
      listRuns(context, { stack: id, types: ['TRACKED', 'DESTROY', 'TESTING'], before: before ?? null }),
    proposedRuns: ({ id }: StackRow, { before }: Before, { context }: ApiRequest) =>
      listRuns(context, { stack: id, types: ['PROPOSED'], before: before ?? null }),
    tasks: ({ id }: StackRow, { before }: Before, { context }: ApiRequest) =>
      listRuns(context, { stack: id, types: ['TASK'], before: before ?? null }),
  },
  StackDependency: {
    stack: ({ stack_id }: DependencyRow, _: unknown, { context }: ApiRequest) => getStack(context, stack_id),
    dependsOnStack: ({ depends_on }: DependencyRow, _: unknown, { context }: ApiRequest) =>
      getStack(context, depends_on),
  },
  ConfigElement: {
    id: ({ name }: VariableRow) => name,
    type: () => 'ENVIRONMENT_VARIABLE',
    value: ({ kind, value }: VariableRow) => (kind === 'plain' ? value : null),
    writeOnly: ({ kind }: VariableRow) => kind === 'sealed',
    createdAt: ({ created_at }: VariableRow) => seconds(created_at),
  },
};
