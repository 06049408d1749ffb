// Starts the runs and tasks that schedules of stacks ask for, each time once, however many processes look. Times that
// passed while nobody looked lead to one run, not to many.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Context, Tx } from '../context.js';
import { tell } from '../runs/change.js';
import { createRun } from '../runs/create.js';
import { lockStack } from '../runs/holds.js';
import { isEnd } from '../runs/transitions.js';
import { nextOf } from '../stacks/schedules.js';
import type { RunRow, StackRow } from '../store/schema.js';
import type { ScheduleRow } from '../store/stack-tables.js';
import { oneByOne } from './one-by-one.js';

/** Schedules that are dealt with in one go; the rest follows with the next look, a second later. */
const atOnce = 50;

type Due = Pick<ScheduleRow, 'id' | 'stack_id'>;

/** Deals with every schedule whose time has come. One that cannot start its run now says why, and waits for its next time. */
export async function triggerScheduled(context: Context): Promise<void> {
  const due = await context.db
    .selectFrom('stack_schedules')
    .select(['id', 'stack_id'])
    .where('next_at', '<=', context.clock.now())
    .orderBy('next_at')
    .limit(atOnce)
    .execute();
  await oneByOne(context, due, (schedule) => trigger(context, schedule));
}

async function trigger(context: Context, due: Due): Promise<void> {
  try {
    const made = await context.db.transaction().execute((tx) => start(tx, context, due));
    if (made !== undefined) tell(context, made);
  } catch (error) {
    if (!(error instanceof PoolwrightError)) throw error;
    const refused = `${error.code}: ${error.message}`;
    context.log.warn({ schedule: due.id, stack: due.stack_id, refused }, 'a schedule has started nothing');
    // What was begun is undone; that its time has come is not.
    await context.db.transaction().execute(async (tx) => {
      const found = await lockDue(tx, context, due);
      if (found !== undefined) await settle(tx, context, found.schedule, refused, null);
    });
  }
  context.events.emit({ kind: 'stack', stack: due.stack_id });
}

/** Throws CONFLICT where no run may start, INVALID_ARGUMENT. */
async function start(tx: Tx, context: Context, due: Due): Promise<RunRow | undefined> {
  const found = await lockDue(tx, context, due);
  if (found === undefined) return undefined;
  const { stack, schedule } = found;
  await assertFree(tx, schedule);
  assertSource(stack, schedule);
  const made = await createRun(tx, context, stack, {
    ...(schedule.kind === 'task'
      ? { type: 'TASK', task: schedule.command }
      : { type: 'TRACKED', title: titleOf(schedule) }),
    runtimeConfig: schedule.runtime_config,
    requestedBy: `schedule ${schedule.name === '' ? schedule.id : schedule.name}`,
  });
  await settle(tx, context, schedule, `started the ${made.type} run ${made.id}`, made.id);
  return made;
}

/** Undefined where another process was here first, or somebody has changed it. */
async function lockDue(
  tx: Tx,
  context: Context,
  due: Due,
): Promise<{ readonly stack: StackRow; readonly schedule: ScheduleRow } | undefined> {
  const stack = await lockStack(tx, due.stack_id);
  if (stack === undefined) return undefined;
  const schedule = await tx
    .selectFrom('stack_schedules')
    .selectAll()
    .where('id', '=', due.id)
    .where('next_at', '<=', context.clock.now())
    .executeTakeFirst();
  return schedule === undefined ? undefined : { stack, schedule };
}

/** The run before is not over: another one would only stand behind it. */
async function assertFree(tx: Tx, { last_run: last }: ScheduleRow): Promise<void> {
  if (last === null) return;
  const run = await tx.selectFrom('runs').select(['id', 'state']).where('id', '=', last).executeTakeFirst();
  if (run === undefined || isEnd(run.state)) return;
  throw new PoolwrightError('CONFLICT', `The run ${run.id} that it started before is still ${run.state}.`);
}

/** A tool without its files has nothing to do; commands, and those of a task, need none. */
function assertSource(stack: StackRow, { kind }: ScheduleRow): void {
  if (stack.repository !== null || stack.tool === 'commands' || kind === 'task') return;
  throw new PoolwrightError(
    'CONFLICT',
    `The stack ${stack.id} has no repository: its workspaces are uploaded, so there is nothing that a schedule could run.`,
  );
}

async function settle(
  tx: Tx,
  context: Context,
  schedule: ScheduleRow,
  outcome: string,
  run: string | null,
): Promise<void> {
  const now = context.clock.now();
  await tx
    .updateTable('stack_schedules')
    .set({
      next_at: nextOf(schedule, now),
      last_at: now,
      last_outcome: outcome.slice(0, 1000),
      ...(run === null ? {} : { last_run: run }),
    })
    .where('id', '=', schedule.id)
    .execute();
}

function titleOf({ name }: ScheduleRow): string {
  return name === '' ? 'Scheduled run' : `Scheduled run: ${name}`;
}
