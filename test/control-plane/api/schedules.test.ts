// Schedules over the API: as existing clients ask for them, as the command line does, and a run that comes of one.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listRuns } from '../../../control-plane/cli/api/runs.js';
import {
  deleteSchedule,
  listSchedules,
  scheduleRun,
  scheduleTask,
} from '../../../control-plane/cli/api/schedules.js';
import { createStack } from '../../../control-plane/cli/api/stacks.js';
import { until } from '../../launcher/support/until.js';
import { startControlPlane, type TestPlane } from '../../support/control-plane.js';
import { askerFor, type Asker } from './support/ask.js';

let folder: string;
let plane: TestPlane;
let ask: Asker;
let stack: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolwright-schedules-'));
  plane = await startControlPlane(folder);
  ask = await askerFor(plane, plane.key);
  ({ id: stack } = await createStack(plane.client, {
    ...{ name: 'scheduled', workerPool: plane.pool, tool: 'commands', planCommands: ['true'] },
  }));
}, 180_000);
afterAll(async () => {
  await plane.close();
  await rm(folder, { recursive: true });
});

it('are made, read, changed and deleted by clients that give null for what they leave out', async () => {
  const fields =
    'id name cronSchedule timestampSchedule nextSchedule timezone customRuntimeConfig { runnerImage projectRoot environment { key value } }';
  const runtimeConfig = { environment: [{ key: 'A', value: 'b' }], projectRoot: 'live' };
  const input = {
    name: '',
    cronSchedule: ['0 4 * * *'],
    timestampSchedule: null,
    timezone: 'Europe/Berlin',
    runtimeConfig,
  };
  type Found = Record<string, { id: string }>;
  const { made } = await ask.data<Found>(
    `mutation ($stack: ID!, $input: ScheduledRunInput!) { made: stackScheduledRunCreate(stack: $stack, input: $input) { ${fields} } }`,
    { stack, input },
  );
  expect(made).toMatchObject({
    ...{ name: '', cronSchedule: ['0 4 * * *'], timestampSchedule: null, timezone: 'Europe/Berlin' },
    ...{
      nextSchedule: expect.any(Number) as unknown,
      customRuntimeConfig: { ...runtimeConfig, runnerImage: null },
    },
  });
  const at = Math.floor(Date.now() / 1000) + 3600;
  const { changed } = await ask.data<Found>(
    `mutation ($stack: ID!, $scheduledRun: ID!, $input: ScheduledRunInput!) { changed: stackScheduledRunUpdate(stack: $stack, scheduledRun: $scheduledRun, input: $input) { ${fields} } }`,
    {
      ...{ stack, scheduledRun: made!.id },
      input: { name: 'once', cronSchedule: null, timestampSchedule: at, timezone: null, runtimeConfig: null },
    },
  );
  expect(changed).toEqual({
    ...{
      id: made!.id,
      name: 'once',
      cronSchedule: [],
      timestampSchedule: at,
      nextSchedule: at,
      timezone: null,
    },
    customRuntimeConfig: { runnerImage: null, projectRoot: null, environment: [] },
  });
  const read =
    'query ($stack: ID!, $id: ID!) { stack(id: $stack) { scheduledRun(id: $id) { id } scheduledTask(id: $id) { id } } }';
  expect(await ask.data(read, { stack, id: made!.id })).toEqual({
    stack: { scheduledRun: { id: made!.id }, scheduledTask: null },
  });
  await ask.data(
    'mutation ($stack: ID!, $scheduledRun: ID!) { stackScheduledRunDelete(stack: $stack, scheduledRun: $scheduledRun) { id } }',
    { stack, scheduledRun: made!.id },
  );
  expect(await ask.data(read, { stack, id: made!.id })).toEqual({
    stack: { scheduledRun: null, scheduledTask: null },
  });
});

it('of the command line are listed together, start what they say, and go again', async () => {
  const none = {
    name: undefined,
    cronSchedule: undefined,
    timezone: undefined,
    timestampSchedule: undefined,
  };
  const daily = await scheduleRun(plane.client, stack, { ...none, name: 'daily', cronSchedule: ['@daily'] });
  const soon = Math.floor(Date.now() / 1000) + 2;
  const once = await scheduleTask(plane.client, stack, {
    ...{ ...none, timestampSchedule: soon, command: 'echo now' },
  });
  await until(
    async () => (await listSchedules(plane.client, stack))[1]?.lastTriggeredAt != null,
    'the time of the task',
    20_000,
  );
  const [run] = await listRuns(plane.client, stack, 'tasks');
  const query = 'query ($stack: ID!) { stack(id: $stack) { tasks { id title triggeredBy } } }';
  expect(await ask.data(query, { stack })).toEqual({
    stack: { tasks: [{ id: run?.id, title: 'echo now', triggeredBy: `schedule ${once.id}` }] },
  });
  expect(await listSchedules(plane.client, stack)).toMatchObject([
    { id: daily.id, name: 'daily', timezone: 'UTC', lastTriggeredAt: null },
    { id: once.id, command: 'echo now', nextSchedule: null, lastOutcome: `started the TASK run ${run!.id}` },
  ]);
  for (const { id } of [daily, once]) await deleteSchedule(plane.client, stack, id);
  expect(await listSchedules(plane.client, stack)).toEqual([]);
  await expect(deleteSchedule(plane.client, stack, once.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
