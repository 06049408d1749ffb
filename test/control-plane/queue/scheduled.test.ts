// Schedules of stacks: what starts at their times, what does not and who is told why; also when two look at once, and
// when nobody has looked for a while.
import { beforeEach, describe, expect, it } from 'vitest';
import { acting, searchAudit } from '../../../control-plane/access/audit.js';
import { rightsOf } from '../../../control-plane/access/rights.js';
import type { ControlPlaneEvent } from '../../../control-plane/events.js';
import { sweep } from '../../../control-plane/queue/reconciler.js';
import { triggerScheduled } from '../../../control-plane/queue/scheduled.js';
import { cancelRun } from '../../../control-plane/runs/decisions.js';
import { listRuns } from '../../../control-plane/runs/runs.js';
import { setDisabled, setLock } from '../../../control-plane/stacks/locks.js';
import { deleteStack } from '../../../control-plane/stacks/stacks.js';
import {
  createSchedule,
  deleteSchedule,
  listSchedules,
  updateSchedule,
  type ScheduleFields,
  type ScheduleKind,
} from '../../../control-plane/stacks/schedules.js';
import { eachWithRules, makeRun, makeStack, type Rules } from '../support/rules.js';

let rules: Rules;
let pool: string;
let stack: string;
eachWithRules((given) => ({ rules, pool } = given));
beforeEach(async () => {
  rules.now = Date.UTC(2026, 0, 1);
  stack = await makeStack(rules, pool);
});

const minute = 60_000;
const hour = 60 * minute;
const usual: ScheduleFields = {
  ...{ name: 'hourly', cron: ['0 * * * *'], timezone: 'UTC', at: null, command: null, runtimeConfig: {} },
};

const make = (fields: Partial<ScheduleFields> = {}, kind: ScheduleKind = 'run') =>
  createSchedule(rules.context, stack, kind, { ...usual, ...fields });
const change = (id: string, fields: Partial<ScheduleFields>) =>
  updateSchedule(rules.context, { stack, kind: 'run', id }, { ...usual, ...fields });
const runs = () => listRuns(rules.context, { stack });
const end = async () => {
  for (const { id, state } of await runs())
    if (state === 'QUEUED') await cancelRun(rules.context, { stack, run: id, username: 'test', note: null });
};
async function only() {
  const [schedule] = await listSchedules(rules.context, stack);
  if (schedule === undefined) throw new Error('there is no schedule');
  return schedule;
}
async function wait(milliseconds: number): Promise<void> {
  rules.now += milliseconds;
  await sweep(rules.context);
}

describe('a schedule', () => {
  it('starts a tracked run at each of its times, which says where it comes from', async () => {
    const { id, next_at } = await make({ runtimeConfig: { environment: [{ name: 'A', value: 'b' }] } });
    expect(next_at).toBe(rules.now + hour);
    await wait(hour - 1);
    expect(await runs()).toEqual([]);
    await wait(1);
    const [run] = await runs();
    expect(run).toMatchObject({
      ...{ type: 'TRACKED', title: 'Scheduled run: hourly', requested_by: 'schedule hourly', priority: 0 },
      ...{ drift: false, runtime_config: { environment: [{ name: 'A', value: 'b' }] } },
    });
    expect(await only()).toMatchObject({
      ...{ id, next_at: rules.now + hour, last_at: rules.now, last_run: run?.id },
      last_outcome: `started the TRACKED run ${run!.id}`,
    });
    await wait(minute);
    expect(await runs()).toHaveLength(1);
    await end();
    await wait(hour);
    expect(await runs()).toHaveLength(2);
  });

  it('without a name says its id, and one of a task starts that with its command', async () => {
    const { id } = await make({ name: '', command: 'tofu state list' }, 'task');
    await wait(hour);
    expect(await runs()).toMatchObject([
      { type: 'TASK', task: 'tofu state list', title: 'tofu state list', requested_by: `schedule ${id}` },
    ]);
  });

  it('of one time starts one run, and then nothing any more', async () => {
    await make({ cron: [], at: rules.now + 90 * minute });
    await wait(hour);
    expect(await runs()).toEqual([]);
    await wait(hour);
    await end();
    await wait(48 * hour);
    expect(await runs()).toHaveLength(1);
    expect(await only()).toMatchObject({ next_at: null });
  });

  it('goes by the clocks of its time zone', async () => {
    rules.now = Date.parse('2026-03-28T12:00Z');
    await make({ cron: ['30 4 * * *'], timezone: 'Europe/Berlin' });
    expect((await only()).next_at).toBe(Date.parse('2026-03-29T02:30Z'));
  });

  it('whose times passed while nobody looked starts one run, not many', async () => {
    await make();
    rules.now += 7 * hour + minute;
    await Promise.all([sweep(rules.context), sweep(rules.context)]);
    expect(await runs()).toHaveLength(1);
    expect((await only()).next_at).toBe(rules.now - minute + hour);
  });

  it('starts one run for each time, however many look at once', async () => {
    for (let count = 0; count < 3; count += 1) await make({ name: `number ${String(count)}` });
    rules.now += hour;
    await Promise.all(Array.from({ length: 6 }, () => triggerScheduled(rules.context)));
    expect((await runs()).map((run) => run.requested_by).sort()).toEqual([
      'schedule number 0',
      'schedule number 1',
      'schedule number 2',
    ]);
    // Who came second neither starts a run nor says anything of the first one's.
    for (const { last_outcome } of await listSchedules(rules.context, stack))
      expect(last_outcome).toMatch(/^started the TRACKED run /);
  });

  it('tells those who look at the stack', async () => {
    await make();
    const told: ControlPlaneEvent[] = [];
    const stop = rules.context.events.subscribe((event) => told.push(event));
    await wait(hour);
    stop();
    expect(told).toContainEqual({ kind: 'stack', stack });
    expect(told).toContainEqual(expect.objectContaining({ kind: 'run', stack, state: 'QUEUED' }));
  });

  it('is gone with its stack, and does nothing for one that is gone meanwhile', async () => {
    await make();
    await deleteStack(rules.context, stack);
    expect(await listSchedules(rules.context, stack)).toEqual([]);
  });
});

describe('a time at which no run can start', () => {
  it.each([
    [
      'locked',
      () => setLock(rules.context, stack, { by: 'ada', note: 'moving' }),
      /CONFLICT: .* locked by ada \(moving\)/,
    ],
    ['disabled', () => setDisabled(rules.context, stack, true), /CONFLICT: .* disabled/],
  ])('because the stack is %s is told of, and comes again', async (_, refuse, outcome) => {
    await make();
    await refuse();
    await wait(hour);
    expect(await runs()).toEqual([]);
    expect(await only()).toMatchObject({
      ...{ last_at: rules.now, last_run: null, next_at: rules.now + hour },
      last_outcome: expect.stringMatching(outcome) as unknown,
    });
  });

  it('because the run before is not over is told of; other runs do not count', async () => {
    await make();
    await makeRun(rules, stack);
    await wait(hour);
    const [first] = await runs();
    await wait(hour);
    expect(await runs()).toHaveLength(2);
    expect(await only()).toMatchObject({
      ...{
        last_run: first!.id,
        last_outcome: `CONFLICT: The run ${first!.id} that it started before is still QUEUED.`,
      },
    });
    await end();
    await wait(hour);
    expect(await runs()).toHaveLength(3);
  });

  it('because nothing is there to run is told of', async () => {
    stack = await makeStack(rules, pool, { tool: 'opentofu' });
    await make();
    await wait(hour);
    expect(await only()).toMatchObject({ last_outcome: expect.stringContaining('no repository') as unknown });
  });

  it('holds up no other schedule', async () => {
    await make();
    await setDisabled(rules.context, stack, true);
    stack = await makeStack(rules, pool);
    await make();
    await wait(hour);
    expect(await runs()).toHaveLength(1);
  });
});

describe('whoever makes a schedule', () => {
  it.each<[string, ScheduleKind, Partial<ScheduleFields>]>([
    ['cronSchedule.0: expected five fields', 'run', { cron: ['0 4 * *'] }],
    ['cronSchedule.1: expected a time that comes', 'run', { cron: ['@daily', '0 0 30 2 *'] }],
    ['cronSchedule: expected either', 'run', { cron: [] }],
    ['cronSchedule: expected either', 'run', { at: Date.UTC(2030, 1, 1) }],
    ['cronSchedule: expected up to 10', 'run', { cron: Array<string>(11).fill('@daily') }],
    ['timestampSchedule: expected a time that is to come', 'run', { cron: [], at: Date.UTC(2025, 1, 1) }],
    ['timezone: expected the name of a time zone', 'run', { timezone: 'Mars/Olympus' }],
    ['name: expected one line', 'run', { name: 'a\nb' }],
    ['command: expected a command', 'task', { command: ' ' }],
    ['environment.0.name', 'run', { runtimeConfig: { environment: [{ name: '?', value: 'secret' }] } }],
  ])('is told what is wrong: %s', async (fault, kind, fields) => {
    const refusal = await make(fields, kind).catch((error: unknown) => error as Error);
    expect(refusal).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(fault) as unknown,
    });
    expect(JSON.stringify(refusal, ['message'])).not.toContain('secret');
    expect(await listSchedules(rules.context, stack)).toEqual([]);
  });

  it('makes 20 for a stack at most, and none for a stack that is not there', async () => {
    for (let count = 0; count < 20; count += 1) await make();
    await expect(make()).rejects.toMatchObject({ code: 'CONFLICT' });
    stack = 'nobody';
    await expect(make()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('changes all of it, but not when it comes next where that is as it was', async () => {
    const { id } = await make();
    rules.now += hour;
    expect(await change(id, { name: 'renamed' })).toMatchObject({ name: 'renamed', next_at: rules.now });
    expect(await change(id, { cron: ['30 * * * *'] })).toMatchObject({ next_at: rules.now + 30 * minute });
    await wait(hour);
    const at = rules.now + minute;
    await end();
    await change(id, { cron: [], at });
    await wait(hour);
    expect(await change(id, { cron: [], at, name: 'again' })).toMatchObject({ next_at: null, name: 'again' });
    await expect(change(id, { cron: [], at: at - 1 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await runs()).toHaveLength(2);
  });

  it('removes it, as a schedule of what it is of', async () => {
    const { id } = await make();
    await expect(deleteSchedule(rules.context, { stack, kind: 'task', id })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await deleteSchedule(rules.context, { stack, kind: 'run', id });
    await expect(change(id, {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await wait(2 * hour);
    expect(await runs()).toEqual([]);
  });

  it('is on record with what it was and is, without the values of variables', async () => {
    const context = acting(rules.context, { key: 'key', name: 'ada', address: null });
    const fields = { ...usual, runtimeConfig: { environment: [{ name: 'A', value: 'secret' }] } };
    const { id, created_by } = await createSchedule(context, stack, 'run', fields);
    expect(created_by).toBe('ada');
    const of = { stack, kind: 'run', id } as const;
    await updateSchedule(context, of, { ...fields, name: 'renamed' });
    await deleteSchedule(context, of);
    const rights = await rightsOf(context, {
      id: 'key',
      name: 'ada',
      role: 'administrator',
      spaces: ['root'],
      since: 0,
    });
    const { edges } = await searchAudit(
      context,
      { predicates: [{ field: 'resourceId', constraint: { stringMatches: [stack] } }] },
      rights,
    );
    const told = edges.map(({ node }) => node);
    expect(told.map(({ action, username }) => [action, username])).toEqual([
      ['stack.schedule-remove', 'ada'],
      ['stack.schedule-change', 'ada'],
      ['stack.schedule-add', 'ada'],
    ]);
    expect(told[1]).toMatchObject({
      before: { schedule: id, name: 'hourly', cron: ['0 * * * *'], variables: ['A'] },
      after: { name: 'renamed' },
    });
    expect(JSON.stringify(told)).not.toContain('secret');
  });
});
