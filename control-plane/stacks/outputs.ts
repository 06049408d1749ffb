// What a stack has produced, as its worker reports it, and how that becomes variables of stacks that depend on it.
// Sensitive values come sealed for the pool and go on like that: nobody but the pool's workers can open them.
import { sql } from 'kysely';
import { PoolwrightError, type Fault } from '../../protocol/errors.js';
import { outputNameSchema, variableSchema, type Variable } from '../../protocol/messages.js';
import type { Output } from '../../protocol/worker-api.js';
import { auditOfStack } from '../access/audit.js';
import type { RunGrant } from '../access/tokens.js';
import type { Context } from '../context.js';
import { lockAttempt } from '../runs/attempts.js';
import type { DependencyRow, OutputRow, ReferenceRow, RunRow } from '../store/schema.js';

/** All that the stack of a run has now. Throws STALE_ATTEMPT; CONFLICT for a run that changes nothing. */
export async function replaceOutputs(
  context: Context,
  { run, attempt, worker }: RunGrant,
  outputs: readonly Output[],
): Promise<void> {
  const stack = await context.db.transaction().execute(async (tx) => {
    const row = await lockAttempt(tx, run, attempt, worker);
    if (!row.begun || !reportsOutputs(row)) {
      throw new PoolwrightError('CONFLICT', `Run ${run} is ${row.state} and has no outputs to report.`);
    }
    const { public_key } = await tx
      .selectFrom('worker_pools')
      .select('public_key')
      .where('id', '=', row.pool_id)
      .executeTakeFirstOrThrow();
    await tx.deleteFrom('stack_outputs').where('stack_id', '=', row.stack_id).execute();
    const about = { stack_id: row.stack_id, run_id: run, created_at: context.clock.now() };
    const rows = outputs.map(({ name, value }) => ({ ...about, name, ...stored(value, public_key) }));
    if (rows.length > 0) await tx.insertInto('stack_outputs').values(rows).execute();
    return row.stack_id;
  });
  context.events.emit({ kind: 'stack', stack });
}

/** Whether the worker of this run is asked for outputs: its stage is what changes them. */
export function reportsOutputs({ stage }: Pick<RunRow, 'stage'>): boolean {
  return stage === 'APPLY' || stage === 'DESTROY';
}

function stored(value: Output['value'], publicKey: string): Pick<OutputRow, 'kind' | 'value' | 'sealed_for'> {
  switch (value.kind) {
    case 'plain':
      return { kind: 'plain', value: value.text, sealed_for: null };
    case 'sealed':
      return { kind: 'sealed', value: value.data, sealed_for: publicKey };
    case 'withheld':
      return { kind: 'withheld', value: null, sealed_for: null };
  }
}

/** By name. The `value` of a sealed one is of no use to a reader and must not be shown. */
export function listOutputs(context: Pick<Context, 'db'>, stack: string): Promise<OutputRow[]> {
  return context.db
    .selectFrom('stack_outputs')
    .selectAll()
    .where('stack_id', '=', stack)
    .orderBy('name')
    .execute();
}

export interface ReferenceFields {
  readonly outputName: string;
  readonly inputName: string;
}

/** Throws INVALID_ARGUMENT, NOT_FOUND; CONFLICT when the stack has another source for that variable. */
export async function addReference(
  context: Context,
  { id: dependency, stack_id: stack }: DependencyRow,
  { outputName, inputName }: ReferenceFields,
): Promise<ReferenceRow> {
  if (!outputNameSchema.safeParse(outputName).success) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      'Expected the name of an output, without blanks and slashes.',
    );
  }
  if (!variableSchema.shape.name.safeParse(inputName).success) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      'Expected the name of an environment variable as input: letters, digits and underscores, such as TF_VAR_subnet.',
    );
  }
  const row = await context.db.transaction().execute(async (tx) => {
    // One at a time for each stack: two outputs must not go into one variable.
    await sql`select 1 from stacks where id = ${stack} for update`.execute(tx);
    const taken = await tx
      .selectFrom('stack_dependency_references as r')
      .innerJoin('stack_dependencies as d', 'd.id', 'r.dependency_id')
      .select(['r.output_name', 'd.depends_on'])
      .where('d.stack_id', '=', stack)
      .where('r.input_name', '=', inputName)
      .executeTakeFirst();
    if (taken !== undefined) {
      throw new PoolwrightError(
        'CONFLICT',
        `The variable ${inputName} of stack ${stack} comes from the output ${taken.output_name} of ${taken.depends_on} already.`,
      );
    }
    const made = await tx
      .insertInto('stack_dependency_references')
      .values({
        id: context.ids.next(),
        dependency_id: dependency,
        output_name: outputName,
        input_name: inputName,
        created_at: context.clock.now(),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const after = { dependency, outputName, inputName };
    await auditOfStack(tx, context, stack, { ...about(stack, 'add'), before: null, after });
    return made;
  });
  context.events.emit({ kind: 'stack', stack });
  return row;
}

/** Throws NOT_FOUND. */
export async function removeReference(context: Context, stack: string, id: string): Promise<ReferenceRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    const gone = await tx
      .deleteFrom('stack_dependency_references')
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirst();
    if (gone === undefined) throw noReference(id);
    const before = {
      dependency: gone.dependency_id,
      outputName: gone.output_name,
      inputName: gone.input_name,
    };
    await auditOfStack(tx, context, stack, { ...about(stack, 'remove'), before, after: null });
    return gone;
  });
  context.events.emit({ kind: 'stack', stack });
  return row;
}

export function noReference(id: string): PoolwrightError {
  return new PoolwrightError('NOT_FOUND', `There is no reference ${id} between stacks.`);
}

function about(stack: string, verb: 'add' | 'remove') {
  return { action: `stack.reference-${verb}`, type: 'stack', id: stack } as const;
}

/** The dependency that a reference belongs to. */
export function dependencyOfReference(
  context: Pick<Context, 'db'>,
  reference: string,
): Promise<DependencyRow | undefined> {
  return context.db
    .selectFrom('stack_dependencies as d')
    .innerJoin('stack_dependency_references as r', 'r.dependency_id', 'd.id')
    .selectAll('d')
    .where('r.id', '=', reference)
    .executeTakeFirst();
}

export function listReferences(context: Pick<Context, 'db'>, dependency: string): Promise<ReferenceRow[]> {
  return context.db
    .selectFrom('stack_dependency_references')
    .selectAll()
    .where('dependency_id', '=', dependency)
    .orderBy('input_name')
    .execute();
}

/** The variables of a stack that come from outputs, for workers with this key; what cannot be had is a fault. */
export async function inputsOf(
  context: Pick<Context, 'db'>,
  stack: string,
  publicKey: string,
): Promise<{ readonly variables: Variable[]; readonly faults: Fault[] }> {
  const rows = await context.db
    .selectFrom('stack_dependency_references as r')
    .innerJoin('stack_dependencies as d', 'd.id', 'r.dependency_id')
    .leftJoin('stack_outputs as o', (join) =>
      join.onRef('o.stack_id', '=', 'd.depends_on').onRef('o.name', '=', 'r.output_name'),
    )
    .select(['r.input_name as name', 'r.output_name as output', 'd.depends_on as from'])
    .select(['o.kind', 'o.value', 'o.sealed_for'])
    .where('d.stack_id', '=', stack)
    .orderBy('r.input_name')
    .execute();
  const variables: Variable[] = [];
  const faults: Fault[] = [];
  for (const { name, output, from, kind, value, sealed_for } of rows) {
    const source = `the output ${output} of stack ${from}`;
    if (value !== null && kind === 'plain') variables.push({ name, value: { kind, text: value } });
    else if (value !== null && kind === 'sealed' && sealed_for === publicKey)
      variables.push({ name, value: { kind, data: value, from: { stack: from, output } } });
    else if (kind === 'sealed')
      faults.push({
        path: name,
        reason: `${source} is sealed for the key of another pool; give both stacks one pool and apply ${from} again`,
      });
    else if (kind === 'withheld')
      faults.push({
        path: name,
        reason:
          `${source} is sensitive, and its worker keeps it; set SPACELIFT_SENSITIVE_OUTPUT_UPLOAD_ENABLED=true on ` +
          `the launchers of its pool and apply ${from} again`,
      });
    else
      faults.push({
        path: name,
        reason: `${source} is not there; apply ${from} first, or mend the reference`,
      });
  }
  return { variables, faults };
}
