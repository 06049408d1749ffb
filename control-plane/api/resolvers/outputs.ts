// Outputs of stacks, and the references by which other stacks get them.
import { PoolwrightError } from '../../../protocol/errors.js';
import { findDependency } from '../../stacks/dependencies.js';
import {
  addReference,
  dependencyOfReference,
  listOutputs,
  listReferences,
  noReference,
  removeReference,
  type ReferenceFields,
} from '../../stacks/outputs.js';
import type { DependencyRow, OutputRow, ReferenceRow, StackRow } from '../../store/schema.js';
import { rightsOf, seconds, visibleStack, type ApiRequest } from '../request.js';

export const outputResolvers = {
  Mutation: {
    stackDependenciesAddReference: async (
      _: unknown,
      { stackDependencyID: id, reference }: { stackDependencyID: string; reference: ReferenceFields },
      request: ApiRequest,
    ) => {
      const missing = new PoolwrightError('NOT_FOUND', `There is no dependency ${id} between stacks.`);
      const dependency = await changeable(request, () => findDependency(request.context, id), missing);
      return addReference(request.context, dependency, reference);
    },
    stackDependenciesDeleteReference: async (_: unknown, { id }: { id: string }, request: ApiRequest) => {
      const find = () => dependencyOfReference(request.context, id);
      const { stack_id } = await changeable(request, find, noReference(id));
      return removeReference(request.context, stack_id, id);
    },
  },
  Stack: {
    outputs: ({ id }: StackRow, _: unknown, { context }: ApiRequest) => listOutputs(context, id),
  },
  StackDependency: {
    references: ({ id }: DependencyRow, _: unknown, { context }: ApiRequest) => listReferences(context, id),
  },
  StackOutput: {
    id: ({ name }: OutputRow) => name,
    sensitive: ({ kind }: OutputRow) => kind !== 'plain',
    available: ({ kind }: OutputRow) => kind !== 'withheld',
    value: ({ kind, value }: OutputRow) => (kind === 'plain' ? value : null),
    run: ({ run_id }: OutputRow) => run_id,
    updatedAt: ({ created_at }: OutputRow) => seconds(created_at),
  },
  StackDependencyReference: {
    outputName: ({ output_name }: ReferenceRow) => output_name,
    inputName: ({ input_name }: ReferenceRow) => input_name,
    type: () => 'ENVIRONMENT_VARIABLE',
    createdAt: ({ created_at }: ReferenceRow) => seconds(created_at),
  },
};

/** At both ends: whoever takes values out of a stack has rights there, too. */
async function changeable(
  request: ApiRequest,
  find: () => Promise<DependencyRow | undefined>,
  missing: PoolwrightError,
): Promise<DependencyRow> {
  const rights = rightsOf(request);
  const dependency = await find();
  if (dependency === undefined) throw missing;
  for (const id of [dependency.stack_id, dependency.depends_on]) {
    const stack = await visibleStack(request, id);
    if (stack === undefined) throw missing;
    rights.assert('operate', stack.space);
  }
  return dependency;
}
