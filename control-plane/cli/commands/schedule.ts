// poolwright stack schedule …: runs and tasks of a stack at given times.
import type { Command } from 'commander';
import { z } from 'zod';
import { deleteSchedule, listSchedules, scheduleRun, scheduleTask, type Schedule } from '../api/schedules.js';
import { UsageError } from '../exit.js';
import { actWithApi, collect, withExample } from '../invocation.js';
import { moment } from '../parse.js';
import type { Terminal } from '../terminal.js';
import { ago, localTime } from '../times.js';

/** Adds the `stack schedule` commands. */
export function addScheduleCommands(stack: Command, terminal: Terminal): void {
  const schedule = stack.command('schedule').description('Runs and tasks of a stack at given times');

  const add = schedule.command('add').description('Start tracked runs, or a task, at given times');
  add.argument('<stack>', 'id of the stack');
  add.option(
    '--cron <expression>',
    'minute, hour, day of the month, month, day of the week; may be given several times',
    collect,
  );
  add.option('--timezone <name>', 'time zone of --cron, such as Europe/Berlin; UTC when not given');
  add.option('--at <time>', 'the only time, such as 2030-01-31T04:00Z; without Z in local time', moment);
  add.option('--task <command>', 'start a task with this shell command instead of a tracked run');
  add.option('--name <name>', 'what the runs are told to come from');
  const shape = {
    cron: z.array(z.string()).optional(),
    timezone: z.string().optional(),
    at: z.number().optional(),
    task: z.string().optional(),
    name: z.string().optional(),
  };
  actWithApi(add, terminal, shape, async ({ client, output, args, options }) => {
    const { cron, timezone, at, task, name } = options;
    if ((cron === undefined) === (at === undefined))
      throw new UsageError(`Expected one of --cron and --at, got ${cron === undefined ? 'none' : 'both'}.`);
    if (timezone !== undefined && cron === undefined)
      throw new UsageError('Expected --timezone only with --cron; the time of --at says its own.');
    const [id = ''] = args;
    const when = { name, cronSchedule: cron, timezone, timestampSchedule: at };
    const made =
      task === undefined
        ? await scheduleRun(client, id, when)
        : await scheduleTask(client, id, { ...when, command: task });
    output.answer(made, () =>
      output.fields([
        ['id', made.id],
        ['starts', whatOf(made)],
        ['when', whenOf(made)],
        ['next', nextOf(made)],
      ]),
    );
  });
  withExample(add, "poolwright stack schedule add website --cron '0 4 * * 1-5' --timezone Europe/Berlin");

  const list = schedule.command('list').description('List the schedules, and what their last times led to');
  list.argument('<stack>', 'id of the stack');
  actWithApi(list, terminal, {}, async ({ client, output, args }) => {
    const schedules = await listSchedules(client, args[0] ?? '');
    output.answer(schedules, () =>
      output.table(
        ['ID', 'NAME', 'STARTS', 'WHEN', 'NEXT', 'LAST', 'OUTCOME'],
        schedules.map((each) => [
          ...[each.id, each.name, whatOf(each), whenOf(each), nextOf(each)],
          each.lastTriggeredAt === null ? 'never' : ago(each.lastTriggeredAt, Date.now()),
          each.lastOutcome ?? '',
        ]),
      ),
    );
  });
  withExample(list, 'poolwright stack schedule list website');

  const remove = schedule.command('remove').description('Remove a schedule: it starts nothing any more');
  remove.argument('<stack>', 'id of the stack').argument('<schedule>', 'id of the schedule');
  actWithApi(remove, terminal, {}, async ({ client, output, args }) => {
    const [stackId = '', id = ''] = args;
    await deleteSchedule(client, stackId, id);
    output.answer({ id, deleted: true }, () => [`The schedule ${id} is removed.`]);
  });
  withExample(remove, 'poolwright stack schedule remove website 01JZ0000000000000000000000');
}

function whatOf({ command }: Schedule): string {
  return command === undefined ? 'a run' : `a task: ${command.split('\n', 1)[0] ?? ''}`;
}

function whenOf({ cronSchedule, timezone, timestampSchedule }: Schedule): string {
  if (timestampSchedule !== null) return `once, ${localTime(timestampSchedule)}`;
  return `${cronSchedule.join(' and ')} (${timezone ?? 'UTC'})`;
}

function nextOf({ nextSchedule }: Schedule): string {
  return nextSchedule === null ? 'never again' : localTime(nextSchedule);
}
