// The schedules of a stack: made, changed, removed and looked at here. What their times lead to is in
// queue/scheduled.ts.
import { faultsError, PoolwrightError, type Fault } from '../../protocol/errors.js';
import { auditOfStack } from '../access/audit.js';
import type { Context, Tx } from '../context.js';
import { lockStack } from '../runs/holds.js';
import { assertSendable } from '../runs/sendable.js';
import type { RuntimeConfig } from '../store/run-tables.js';
import type { ScheduleRow } from '../store/stack-tables.js';
import type { Cron } from 'croner';
import { isTimeZone, nextTime, readCron } from './cron.js';
import { stackNotFound } from './stacks.js';

export type ScheduleKind = ScheduleRow['kind'];

/** What people give of a schedule: expressions, or the only time. */
export interface ScheduleFields {
  /** Empty: none. */
  readonly name: string;
  readonly cron: readonly string[];
  /** Of the expressions. */
  readonly timezone: string;
  /** Unix milliseconds. */
  readonly at: number | null;
  /** For a task, and only for that. */
  readonly command: string | null;
  readonly runtimeConfig: RuntimeConfig;
}

/** Schedules of one stack, expressions of one schedule. */
export const scheduleLimits = { schedules: 20, expressions: 10 } as const;

interface Reference {
  readonly stack: string;
  readonly kind: ScheduleKind;
  readonly id: string;
}

/** Throws INVALID_ARGUMENT with all faults, NOT_FOUND, CONFLICT when the stack has as many as it may have. */
export async function createSchedule(
  context: Context,
  stack: string,
  kind: ScheduleKind,
  fields: ScheduleFields,
): Promise<ScheduleRow> {
  const now = context.clock.now();
  const next = check(kind, fields, now, undefined);
  const row = await context.db.transaction().execute(async (tx) => {
    if ((await lockStack(tx, stack)) === undefined) throw stackNotFound(stack);
    const others = await tx
      .selectFrom('stack_schedules')
      .select('id')
      .where('stack_id', '=', stack)
      .execute();
    if (others.length >= scheduleLimits.schedules) {
      throw new PoolwrightError(
        'CONFLICT',
        `The stack ${stack} has ${String(scheduleLimits.schedules)} schedules already. Delete one that is not used any more.`,
      );
    }
    const made = await tx
      .insertInto('stack_schedules')
      .values({
        ...{ id: context.ids.next(), stack_id: stack, kind },
        ...columnsOf(fields),
        ...{ next_at: next, created_at: now, updated_at: now, created_by: context.actor?.name ?? null },
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await auditChange(tx, context, 'add', null, made);
    return made;
  });
  context.events.emit({ kind: 'stack', stack });
  return row;
}

/** All of it is new but what it has led to. Throws as createSchedule. */
export async function updateSchedule(
  context: Context,
  of: Reference,
  fields: ScheduleFields,
): Promise<ScheduleRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    const before = await lockSchedule(tx, of);
    const now = context.clock.now();
    const changed = await tx
      .updateTable('stack_schedules')
      .set({ ...columnsOf(fields), next_at: check(of.kind, fields, now, before), updated_at: now })
      .where('id', '=', of.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await auditChange(tx, context, 'change', before, changed);
    return changed;
  });
  context.events.emit({ kind: 'stack', stack: of.stack });
  return row;
}

/** The runs that it started stay. Throws NOT_FOUND. */
export async function deleteSchedule(context: Context, of: Reference): Promise<ScheduleRow> {
  const row = await context.db.transaction().execute(async (tx) => {
    const gone = await lockSchedule(tx, of);
    await tx.deleteFrom('stack_schedules').where('id', '=', of.id).execute();
    await auditChange(tx, context, 'remove', gone, null);
    return gone;
  });
  context.events.emit({ kind: 'stack', stack: of.stack });
  return row;
}

/** Whoever changes a schedule, or starts its run, has the stack's row locked. Throws NOT_FOUND. */
async function lockSchedule(tx: Tx, of: Reference): Promise<ScheduleRow> {
  if ((await lockStack(tx, of.stack)) === undefined) throw stackNotFound(of.stack);
  const row = await findSchedule({ db: tx }, of);
  if (row === undefined)
    throw new PoolwrightError('NOT_FOUND', `The stack ${of.stack} has no scheduled ${of.kind} ${of.id}.`);
  return row;
}

export function findSchedule(
  context: Pick<Context, 'db'>,
  { stack, kind, id }: Reference,
): Promise<ScheduleRow | undefined> {
  return context.db
    .selectFrom('stack_schedules')
    .selectAll()
    .where('id', '=', id)
    .where('stack_id', '=', stack)
    .where('kind', '=', kind)
    .executeTakeFirst();
}

/** Oldest first; not given: of both kinds. */
export function listSchedules(
  context: Pick<Context, 'db'>,
  stack: string,
  kind?: ScheduleKind,
): Promise<ScheduleRow[]> {
  let query = context.db.selectFrom('stack_schedules').selectAll().where('stack_id', '=', stack);
  if (kind !== undefined) query = query.where('kind', '=', kind);
  return query.orderBy('id').execute();
}

/** When it starts something after `after`. */
export function nextOf(
  { cron, timezone, at }: Pick<ScheduleFields, 'cron' | 'timezone' | 'at'>,
  after: number,
): number | null {
  if (at !== null) return at > after ? at : null;
  return nextTime(
    cron.map((expression) => cronOf(expression, timezone)),
    after,
  );
}

function cronOf(expression: string, timezone: string): Cron {
  const read = readCron(expression, timezone);
  if (typeof read !== 'string') return read;
  throw new PoolwrightError(
    'INVALID_ARGUMENT',
    `The cron expression ${JSON.stringify(expression)}: ${read}.`,
  );
}

/** Answers when it starts something for the first time. Throws INVALID_ARGUMENT. */
function check(
  kind: ScheduleKind,
  fields: ScheduleFields,
  now: number,
  before: ScheduleRow | undefined,
): number | null {
  const { name, cron, timezone, at, command } = fields;
  const faults: Fault[] = [];
  if (name.length > 255 || /[\n\r]/.test(name))
    faults.push({ path: 'name', reason: 'expected one line of up to 255 characters' });
  if ((cron.length === 0) === (at === null))
    faults.push({ path: 'cronSchedule', reason: 'expected either this or timestampSchedule' });
  if (cron.length > scheduleLimits.expressions)
    faults.push({
      path: 'cronSchedule',
      reason: `expected up to ${String(scheduleLimits.expressions)} expressions`,
    });
  const known = isTimeZone(timezone);
  if (!known)
    faults.push({ path: 'timezone', reason: 'expected the name of a time zone, such as Europe/Berlin' });
  for (const [index, expression] of cron.slice(0, scheduleLimits.expressions).entries()) {
    const path = `cronSchedule.${String(index)}`;
    const read = readCron(expression, known ? timezone : 'UTC');
    if (typeof read === 'string') faults.push({ path, reason: read });
    else if (nextTime([read], now) === null)
      faults.push({ path, reason: 'expected a time that comes; this day is in no year' });
  }
  // What it was stays as it was: who changes the name of a schedule whose time is over need not find another time.
  const same =
    before?.at === at && before.timezone === timezone && before.cron.join('\n') === cron.join('\n');
  if (!same && at !== null && at <= now)
    faults.push({ path: 'timestampSchedule', reason: 'expected a time that is to come, in Unix seconds' });
  if (kind === 'task' && (command === null || command.trim() === ''))
    faults.push({ path: 'command', reason: 'expected a command' });
  if (faults.length > 0) throw faultsError('INVALID_ARGUMENT', `The scheduled ${kind}`, faults);
  assertSendable({ type: 'TRACKED', task: command, runtimeConfig: fields.runtimeConfig, requestedBy: '' });
  return same ? before.next_at : nextOf(fields, now);
}

function columnsOf({ name, cron, timezone, at, command, runtimeConfig }: ScheduleFields) {
  return {
    ...{ name, timezone, at, command },
    cron: JSON.stringify(cron),
    runtime_config: JSON.stringify(runtimeConfig),
  };
}

async function auditChange(
  tx: Tx,
  context: Context,
  verb: 'add' | 'change' | 'remove',
  before: ScheduleRow | null,
  after: ScheduleRow | null,
): Promise<void> {
  const { stack_id: stack = '' } = after ?? before ?? {};
  await auditOfStack(tx, context, stack, {
    ...{ action: `stack.schedule-${verb}`, type: 'stack', id: stack },
    ...{ before: told(before), after: told(after) },
  });
}

/** Of variables only the names: a value may be nobody else's to know. */
function told(row: ScheduleRow | null): object | null {
  if (row === null) return null;
  const { id, kind, name, command, cron, timezone, at, runtime_config: config } = row;
  const { runnerImage, projectRoot, environment = [] } = config;
  const variables = environment.map((variable) => variable.name);
  return { schedule: id, kind, name, command, cron, timezone, at, runnerImage, projectRoot, variables };
}
