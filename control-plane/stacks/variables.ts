// The environment of a stack's runs. A write-only value is sealed for the pool the moment it comes in: it is
// stored, shown and sent only in a form that nobody but the pool's workers can open.
import { variableContext } from '../../protocol/sealing/contexts.js';
import { PoolwrightError } from '../../protocol/errors.js';
import { variableSchema } from '../../protocol/messages.js';
import { auditOfStack } from '../access/audit.js';
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
  const saved = await context.db.transaction().execute(async (tx) => {
    const before = await tx
      .selectFrom('stack_variables')
      .select('kind')
      .where('stack_id', '=', stack)
      .where('name', '=', name)
      .forUpdate()
      .executeTakeFirst();
    const after = await tx
      .insertInto('stack_variables')
      .values({ stack_id: stack, name, ...stored, created_at: context.clock.now() })
      .onConflict((conflict) => conflict.columns(['stack_id', 'name']).doUpdateSet(stored))
      .returningAll()
      .executeTakeFirstOrThrow();
    const told = { before: toldOf(name, before), after: toldOf(name, after) };
    await auditOfStack(tx, context, stack, {
      action: 'stack.variable-set',
      type: 'stack',
      id: stack,
      ...told,
    });
    return after;
  });
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

/** Never the value: a secret may have been entered as a plain one. */
function toldOf(name: string, row: Pick<VariableRow, 'kind'> | undefined): object | null {
  return row === undefined ? null : { name, writeOnly: row.kind === 'sealed' };
}

/** Throws NOT_FOUND. */
export async function deleteVariable(context: Context, stack: string, name: string): Promise<VariableRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    const gone = await tx
      .deleteFrom('stack_variables')
      .where('stack_id', '=', stack)
      .where('name', '=', name)
      .returningAll()
      .executeTakeFirst();
    if (gone === undefined)
      throw new PoolwrightError('NOT_FOUND', `The stack ${stack} has no variable ${name}.`);
    const told = { before: toldOf(name, gone), after: null };
    await auditOfStack(tx, context, stack, {
      action: 'stack.variable-delete',
      type: 'stack',
      id: stack,
      ...told,
    });
    return gone;
  });
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
