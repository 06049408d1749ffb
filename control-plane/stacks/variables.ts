// The environment of a stack's runs. A write-only value is sealed for the pool the moment it comes in: it is
// stored, shown and sent only in a form that nobody but the pool's workers can open.
import { variableContext } from '../../protocol/sealing/contexts.js';
import { PoolwrightError } from '../../protocol/errors.js';
import { variableSchema } from '../../protocol/messages.js';
import type { Context } from '../context.js';
import { sealingPool } from '../pools/pools.js';
import type { StackRow, VariableRow } from '../store/schema.js';
import { getStack } from './stacks.js';

export interface VariableFields {
  readonly stack: string;
  readonly name: string;
  readonly value: string;
  /** Sealed for the stack's pool; nobody can read it back. */
  readonly writeOnly: boolean;
}

/** Adds or replaces. Throws INVALID_ARGUMENT, NOT_FOUND; CONFLICT for a write-only value without a pool. */
export async function setVariable(context: Context, fields: VariableFields): Promise<VariableRow> {
  const { stack, name, value, writeOnly } = fields;
  const checked = variableSchema.safeParse({ name, value: { kind: 'plain', text: value } });
  if (!checked.success) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      `The variable ${JSON.stringify(name.slice(0, 100))} cannot be set: expected a name of letters, digits and _ ` +
        'and a value of at most 64 KiB.',
    );
  }
  const row = await getStack(context, stack);
  const stored = writeOnly
    ? await sealed(context, row, fields)
    : { kind: 'plain' as const, value, sealed_for: null };
  const saved = await context.db
    .insertInto('stack_variables')
    .values({ stack_id: stack, name, ...stored, created_at: context.clock.now() })
    .onConflict((conflict) => conflict.columns(['stack_id', 'name']).doUpdateSet(stored))
    .returningAll()
    .executeTakeFirstOrThrow();
  context.events.emit({ kind: 'stack', stack });
  return saved;
}

async function sealed(context: Context, row: StackRow, { stack, name, value }: VariableFields) {
  const { public_key } = await sealingPool(context, row, name);
  return {
    kind: 'sealed' as const,
    value: context.seal(public_key, variableContext(stack, name), value),
    sealed_for: public_key,
  };
}

/** Throws NOT_FOUND. */
export async function deleteVariable(context: Context, stack: string, name: string): Promise<VariableRow> {
  const row = await context.db
    .deleteFrom('stack_variables')
    .where('stack_id', '=', stack)
    .where('name', '=', name)
    .returningAll()
    .executeTakeFirst();
  if (row === undefined)
    throw new PoolwrightError('NOT_FOUND', `The stack ${stack} has no variable ${name}.`);
  context.events.emit({ kind: 'stack', stack });
  return row;
}

/** By name. The `value` of a sealed one is of no use to a reader and must not be shown. */
export function listVariables(context: Pick<Context, 'db'>, stack: string): Promise<VariableRow[]> {
  return context.db
    .selectFrom('stack_variables')
    .selectAll()
    .where('stack_id', '=', stack)
    .orderBy('name')
    .execute();
}
