// Schedules of stacks: runs and tasks at given times.
import {
  createSchedule,
  deleteSchedule,
  findSchedule,
  listSchedules,
  updateSchedule,
  type ScheduleFields,
} from '../../stacks/schedules.js';
import type { StackRow } from '../../store/schema.js';
import type { ScheduleRow } from '../../store/stack-tables.js';
import { seconds, secondsOrNull, stackFor, type ApiRequest } from '../request.js';
import { runtimeConfig, type RuntimeConfigInput } from './runs.js';

interface ScheduleInput {
  readonly name?: string | null;
  readonly command?: string | null;
  readonly cronSchedule?: readonly string[] | null;
  readonly timezone?: string | null;
  readonly timestampSchedule?: number | null;
  readonly runtimeConfig?: RuntimeConfigInput | null;
}

interface Made {
  readonly stack: string;
  readonly input: ScheduleInput;
}
interface OfRun {
  readonly stack: string;
  readonly scheduledRun: string;
}
interface OfTask {
  readonly stack: string;
  readonly scheduledTask: string;
}
interface Id {
  readonly id: string;
}

function fieldsOf(input: ScheduleInput): ScheduleFields {
  return {
    name: input.name?.trim() ?? '',
    cron: input.cronSchedule ?? [],
    timezone: input.timezone ?? 'UTC',
    at: input.timestampSchedule == null ? null : input.timestampSchedule * 1000,
    command: input.command ?? null,
    runtimeConfig: runtimeConfig(input.runtimeConfig),
  };
}

const runOf = ({ stack, scheduledRun }: OfRun) => ({ stack, kind: 'run', id: scheduledRun }) as const;
const taskOf = ({ stack, scheduledTask }: OfTask) => ({ stack, kind: 'task', id: scheduledTask }) as const;

const common = {
  cronSchedule: ({ cron }: ScheduleRow) => cron,
  timezone: ({ cron, timezone }: ScheduleRow) => (cron.length === 0 ? null : timezone),
  timestampSchedule: ({ at }: ScheduleRow) => secondsOrNull(at),
  nextSchedule: ({ next_at }: ScheduleRow) => secondsOrNull(next_at),
  createdAt: ({ created_at }: ScheduleRow) => seconds(created_at),
  createdBy: ({ created_by }: ScheduleRow) => created_by,
  lastTriggeredAt: ({ last_at }: ScheduleRow) => secondsOrNull(last_at),
  lastOutcome: ({ last_outcome }: ScheduleRow) => last_outcome,
};

export const scheduleResolvers = {
  Mutation: {
    stackScheduledRunCreate: async (_: unknown, { stack, input }: Made, request: ApiRequest) => {
      await stackFor(request, stack, 'operate');
      return createSchedule(request.context, stack, 'run', fieldsOf(input));
    },
    stackScheduledRunUpdate: async (_: unknown, args: Made & OfRun, request: ApiRequest) => {
      await stackFor(request, args.stack, 'operate');
      return updateSchedule(request.context, runOf(args), fieldsOf(args.input));
    },
    stackScheduledRunDelete: async (_: unknown, args: OfRun, request: ApiRequest) => {
      await stackFor(request, args.stack, 'operate');
      return deleteSchedule(request.context, runOf(args));
    },
    stackScheduledTaskCreate: async (_: unknown, { stack, input }: Made, request: ApiRequest) => {
      await stackFor(request, stack, 'operate');
      return createSchedule(request.context, stack, 'task', fieldsOf(input));
    },
    stackScheduledTaskUpdate: async (_: unknown, args: Made & OfTask, request: ApiRequest) => {
      await stackFor(request, args.stack, 'operate');
      return updateSchedule(request.context, taskOf(args), fieldsOf(args.input));
    },
    stackScheduledTaskDelete: async (_: unknown, args: OfTask, request: ApiRequest) => {
      await stackFor(request, args.stack, 'operate');
      return deleteSchedule(request.context, taskOf(args));
    },
  },
  Stack: {
    scheduledRun: async ({ id: stack }: StackRow, { id }: Id, { context }: ApiRequest) =>
      (await findSchedule(context, { stack, kind: 'run', id })) ?? null,
    scheduledTask: async ({ id: stack }: StackRow, { id }: Id, { context }: ApiRequest) =>
      (await findSchedule(context, { stack, kind: 'task', id })) ?? null,
    scheduledRuns: ({ id }: StackRow, _: unknown, { context }: ApiRequest) =>
      listSchedules(context, id, 'run'),
    scheduledTasks: ({ id }: StackRow, _: unknown, { context }: ApiRequest) =>
      listSchedules(context, id, 'task'),
  },
  ScheduledRun: {
    ...common,
    customRuntimeConfig: ({
      runtime_config: { runnerImage, projectRoot, environment = [] },
    }: ScheduleRow) => ({
      runnerImage: runnerImage ?? null,
      projectRoot: projectRoot ?? null,
      environment: environment.map(({ name, value }) => ({ key: name, value })),
    }),
  },
  ScheduledTask: common,
};
