// Schedules of a stack, as the API gives them: those of runs and those of tasks, which are one list here.
import { z } from 'zod';
import type { ApiClient } from './client.js';
import { noSuchStack } from './stacks.js';

const scheduleSchema = z.object({
  id: z.string(),
  name: z.string(),
  /** Of a task. */
  command: z.string().optional(),
  cronSchedule: z.array(z.string()),
  timezone: z.string().nullable(),
  timestampSchedule: z.int().nullable(),
  nextSchedule: z.int().nullable(),
  lastTriggeredAt: z.int().nullable(),
  lastOutcome: z.string().nullable(),
});
export type Schedule = z.infer<typeof scheduleSchema>;

const fields = 'id name cronSchedule timezone timestampSchedule nextSchedule lastTriggeredAt lastOutcome';

/** Oldest first. */
export async function listSchedules(client: ApiClient, stackId: string): Promise<Schedule[]> {
  const { stack } = await client.request(
    `query ($id: ID!) { stack(id: $id) { scheduledRuns { ${fields} } scheduledTasks { ${fields} command } } }`,
    { id: stackId },
    z.object({
      stack: z
        .object({ scheduledRuns: z.array(scheduleSchema), scheduledTasks: z.array(scheduleSchema) })
        .nullable(),
    }),
  );
  if (stack === null) throw noSuchStack(stackId);
  return [...stack.scheduledRuns, ...stack.scheduledTasks].sort((one, other) => (one.id < other.id ? -1 : 1));
}

export interface NewSchedule {
  readonly name: string | undefined;
  readonly cronSchedule: readonly string[] | undefined;
  readonly timezone: string | undefined;
  /** Unix seconds. */
  readonly timestampSchedule: number | undefined;
}

export async function scheduleRun(client: ApiClient, stack: string, input: NewSchedule): Promise<Schedule> {
  const { stackScheduledRunCreate } = await client.request(
    `mutation ($stack: ID!, $input: ScheduledRunInput!) { stackScheduledRunCreate(stack: $stack, input: $input) { ${fields} } }`,
    { stack, input },
    z.object({ stackScheduledRunCreate: scheduleSchema }),
  );
  return stackScheduledRunCreate;
}

export async function scheduleTask(
  client: ApiClient,
  stack: string,
  input: NewSchedule & { readonly command: string },
): Promise<Schedule> {
  const { stackScheduledTaskCreate } = await client.request(
    `mutation ($stack: ID!, $input: ScheduledTaskInput!) { stackScheduledTaskCreate(stack: $stack, input: $input) { ${fields} command } }`,
    { stack, input },
    z.object({ stackScheduledTaskCreate: scheduleSchema }),
  );
  return stackScheduledTaskCreate;
}

/** Of a run or of a task. */
export async function deleteSchedule(client: ApiClient, stackId: string, id: string): Promise<void> {
  const { stack } = await client.request(
    'query ($stack: ID!, $id: ID!) { stack(id: $stack) { scheduledTask(id: $id) { id } } }',
    { stack: stackId, id },
    z.object({ stack: z.object({ scheduledTask: z.object({ id: z.string() }).nullable() }).nullable() }),
  );
  if (stack === null) throw noSuchStack(stackId);
  const remove =
    stack.scheduledTask === null
      ? 'stackScheduledRunDelete(stack: $stack, scheduledRun: $id)'
      : 'stackScheduledTaskDelete(stack: $stack, scheduledTask: $id)';
  await client.request(
    `mutation ($stack: ID!, $id: ID!) { gone: ${remove} { id } }`,
    { stack: stackId, id },
    z.object({ gone: z.object({ id: z.string() }).nullable() }),
  );
}
