// One of everything that a page can show: workers in every status, runs in every state that says something of its own,
// a queue, alarms, changes, keys and people, webhooks, schedules; with names that are long and words that are short.
import { createApiKey } from '../../../control-plane/access/api-keys.js';
import { enter } from '../../../control-plane/access/people.js';
import { createSpace } from '../../../control-plane/access/spaces.js';
import type { Vault } from '../../../control-plane/access/vault.js';
import type { Context } from '../../../control-plane/context.js';
import { createPool } from '../../../control-plane/pools/pools.js';
import type { StackFields } from '../../../control-plane/stacks/fields.js';
import { createSchedule } from '../../../control-plane/stacks/schedules.js';
import { createStack } from '../../../control-plane/stacks/stacks.js';
import { setVariable } from '../../../control-plane/stacks/variables.js';
import type { LogStore } from '../../../control-plane/store/logs.js';
import type { RunsTable } from '../../../control-plane/store/run-tables.js';
import type { WorkersTable } from '../../../control-plane/store/pool-tables.js';
import type { Insertable } from 'kysely';
import { createWebhook } from '../../../control-plane/webhooks/webhooks.js';
import type { RunState } from '../../../protocol/runs.js';

const minute = 60_000;
const hour = 60 * minute;
const note = 'the plan destroys the replica that reports read from';
let numbers = 0;
const idOf = (kind: string) => `01KV${kind}${String((numbers += 1)).padStart(21, '0')}`;

/** What can be looked at. */
export const fullPages = [
  'pools',
  'workers',
  'one worker',
  'queued',
  'used by',
  'activity of a pool',
  'public pool',
  'public pool, used by',
  'stacks',
  'stack',
  'stack, environment',
  'stack, webhooks',
  'stack, schedules',
  'locked stack',
  'failed run',
  'unconfirmed run',
  'run at work',
  'queued run',
  'activity',
  'alarms',
  'audit',
  'access',
] as const;
export type Pages = Readonly<Record<(typeof fullPages)[number], string>>;

/** Answers the addresses of all pages. `now`: Unix milliseconds. */
export async function fill(context: Context, logs: LogStore, vault: Vault, now: number): Promise<Pages> {
  const { db } = context;
  await createSpace(context, { name: 'Payments', description: 'What handles money', parent: 'root' });
  const poolOf = async (name: string, description: string) =>
    (await createPool(context, { name, description, certificateSigningRequest: 'request' })).pool.id;
  const production = await poolOf('production', 'The account that customers use');
  await poolOf('staging', '');
  await poolOf(
    'team-platform-network-transit-eu-central-1',
    'Transit gateways, DNS and certificates of all regions',
  );

  const stackOf = async (name: string, more: Partial<StackFields> = {}) =>
    (await createStack(context, { name, poolId: production, ...more })).id;
  const billing = await stackOf('billing', {
    description: 'Invoices, dunning and the ledger that both write to',
    repository: 'https://git.acme.example/platform/billing-infrastructure.git',
    runnerImage: 'registry.acme.example/platform/runner-opentofu:1.12',
  });
  const checkout = await stackOf('checkout', { autodeploy: true });
  const search = await stackOf('search', { description: 'Clusters and their snapshots' });
  const identity = await stackOf('identity-provider-and-session-store-eu-central-1', { poolId: null });
  await stackOf('mail', { space: 'payments', poolId: null });
  await db
    .updateTable('stacks')
    .set({
      locked_by: 'edsger@acme.example',
      lock_note: 'moving state to the new account',
      locked_at: now - hour,
    })
    .where('id', '=', search)
    .execute();
  await setVariable(context, {
    stack: billing,
    name: 'TF_VAR_region',
    value: 'eu-central-1',
    writeOnly: false,
  });
  await setVariable(context, { stack: billing, name: 'DATABASE_PASSWORD', value: 'secret', writeOnly: true });
  for (const provider of ['github', 'generic'] as const)
    await createWebhook(context, vault, { stack: billing, provider });
  await db
    .updateTable('webhooks')
    .set({
      last_delivery_at: now - 20 * minute,
      last_outcome: 'started run 01KVR000000000000000000001 (TRACKED)',
    })
    .where('provider', '=', 'github')
    .execute();
  const usual = { cron: [], timezone: 'Europe/Berlin', at: null, command: null, runtimeConfig: {} } as const;
  const nightly = await createSchedule(context, billing, 'run', {
    ...{ ...usual, name: 'nightly', cron: ['30 4 * * 1-5', '0 9 * * sun'] },
  });
  await createSchedule(context, billing, 'task', {
    ...{ ...usual, name: '', at: now + 3 * hour, command: 'tofu force-unlock -force 0c4c1b1e' },
  });
  await db
    .updateTable('stack_schedules')
    .set({
      last_at: now - 20 * minute,
      last_outcome: `CONFLICT: The stack ${billing} cannot run: it is locked by edsger@acme.example (moving state); unlock it first.`,
    })
    .where('id', '=', nightly.id)
    .execute();

  const runOf = async (stack: string, state: RunState, more: Partial<Insertable<RunsTable>> = {}) => {
    const id = more.id ?? idOf('R');
    const at = more.created_at ?? now - 12 * minute;
    const pool = more.pool_id ?? production;
    await db
      .insertInto('runs')
      .values({
        ...{
          id,
          stack_id: stack,
          pool_id: pool,
          type: 'TRACKED',
          state,
          stage: 'PLAN',
          attempt: 1,
          worker_id: null,
        },
        ...{ begun: false, unbegun_attempts: 0, title: 'Raise the limit of connections', created_at: at },
        ...{ updated_at: at + 3 * minute, queued_at: at, deadline_at: null, priority: 0, branch: 'main' },
        ...{ commit_sha: '4f2d1c9ab0e34f2d1c9ab0e34f2d1c9ab0e31234', task: null, archive_object: null },
        ...{
          workspace_object: null,
          applied_number: 0,
          changes: null,
          failure_code: null,
          failure_message: null,
        },
        ...{
          requested_by: 'grace@acme.example',
          stop_requested_at: null,
          stop_note: null,
          runtime_config: '{}',
        },
        ...more,
      })
      .execute();
    const worker = idOf('W');
    const way: readonly RunState[] =
      state === 'QUEUED' ? ['QUEUED'] : ['QUEUED', 'READY', 'PREPARING', 'INITIALIZING', 'PLANNING', state];
    const unlike = way.filter((step, index) => way.indexOf(step) === index);
    for (const [index, step] of unlike.entries())
      await db
        .insertInto('run_transitions')
        .values({
          ...{ run_id: id, number: index + 1, state: step, at: at + index * 40_000, attempt: 1 },
          note: step === 'STOPPED' ? note : null,
          username: index === 0 || step === 'STOPPED' ? 'grace@acme.example' : null,
          worker_id: index === 0 ? null : worker,
        })
        .execute();
    return `/stacks/${stack}/runs/${id}`;
  };

  const at = (name: string, path: string) => path.replace(/.*\//, '') || name;
  const working = await runOf(checkout, 'PLANNING', {
    begun: true,
    worker_id: idOf('W'),
    title: 'Add a replica',
  });
  const failed = await runOf(billing, 'FAILED', {
    ...{
      created_at: now - 3 * hour,
      failure_code: 'COMMAND_FAILED',
      title: 'Rotate the certificates of the ledger',
    },
    failure_message:
      'The command `tofu plan` ended with exit code 1. Its last line: Error: Unsupported argument on ledger.tf line 12.',
  });
  for (let index = 0; index < 70; index += 1) {
    const state =
      (['FINISHED', 'FINISHED', 'FAILED', 'DISCARDED', 'STOPPED'] as const)[index % 5] ?? 'FINISHED';
    const how = {
      type: index % 3 === 0 ? ('PROPOSED' as const) : ('TRACKED' as const),
      title: `Change ${String(index)}`,
    };
    const failure =
      state === 'FAILED' ? { failure_code: index % 2 === 0 ? 'COMMAND_FAILED' : 'RUN_TIMEOUT' } : {};
    await runOf(billing, state, { created_at: now - 4 * hour - index * 17 * minute, ...how, ...failure });
  }
  const unconfirmed = await runOf(billing, 'UNCONFIRMED', {
    ...{
      stage: 'APPLY',
      title: 'Raise the limit of connections of the ledger and of everything that reads from it',
    },
    ...{
      changes: JSON.stringify({ add: 3, change: 1, destroy: 2, any: true }),
      deadline_at: now + 5 * 24 * hour,
    },
  });
  const queue = { state: 'QUEUED', attempt: 0, deadline_at: now + 6 * 24 * hour } as const;
  const queued = await runOf(checkout, 'QUEUED', {
    ...queue,
    type: 'PROPOSED',
    title: 'Preview of the new region',
  });
  await runOf(search, 'QUEUED', { ...queue, hold: 'LOCKED', title: 'Move snapshots' });
  await runOf(billing, 'QUEUED', { ...queue, hold: 'STACK', title: 'Remove old buckets' });
  await runOf(checkout, 'QUEUED', {
    ...queue,
    type: 'TASK',
    task: 'tofu state list',
    title: 'tofu state list',
    priority: 1,
  });
  await runOf(identity, 'QUEUED', { ...queue, type: 'PROPOSED', pool_id: '00000000000000000000000001' });
  const lines = Array.from({ length: 40 }, (_, index) => ({
    ...{
      n: index + 1,
      t: now - 8 * minute + index,
      k: 'log' as const,
      s: index < 4 ? ('PREPARING' as const) : ('PLANNING' as const),
    },
    m:
      index === 39
        ? '\u001b[31mError:\u001b[0m Unsupported argument on ledger.tf line 12\n'
        : `aws_instance.replica[${String(index)}]: Refreshing state... [id=i-0a1b2c3d4e5f6${String(index)}]\n`,
  }));
  await logs.append(
    at('', failed),
    1,
    lines.map((record) => ({ record, text: JSON.stringify(record) })),
  );

  const workerOf = async (more: Partial<Insertable<WorkersTable>>, machine: string) => {
    const id = more.id ?? idOf('W');
    await db
      .insertInto('workers')
      .values({
        ...{
          id,
          pool_id: production,
          session: 'a'.repeat(32),
          certificate_serial: '01',
          version: '246105f8a7015db6',
        },
        ...{
          executor: 'docker',
          connected: true,
          leaving: false,
          drained: false,
          run_id: null,
          lost_at: null,
        },
        ...{ created_at: now - 20 * hour, available_at: now - hour, last_contact_at: now - 3000 },
        metadata: JSON.stringify({
          instance_id: machine,
          asg_id: 'production-workers',
          ami_id: 'ami-0c55b159cbfafe1f0',
        }),
        ...more,
      })
      .execute();
    return id;
  };
  const busy = await db
    .selectFrom('runs')
    .select(['id', 'worker_id'])
    .where('id', '=', at('', working))
    .executeTakeFirstOrThrow();
  const worker = await workerOf(
    { id: busy.worker_id ?? '', run_id: busy.id, busy_since: now - 9 * minute },
    'i-0a51f0b7c2d3e4f50',
  );
  await workerOf({}, 'i-0b62a1c8d3e4f5061');
  await workerOf({ drained: true }, 'i-0c73b2d9e4f506172');
  await workerOf(
    { connected: false, lost_at: now + hour, last_contact_at: now - 90_000 },
    'i-0d84c3eaf50617283',
  );
  await workerOf({ unavailable: 'less than 2 GB are free on /var/lib/docker' }, 'i-0e95d4fb061728394');
  await workerOf({ leaving: true, drained: true, run_id: at('', failed) }, 'i-0fa6e50c172839405');

  for (const cleared of [null, now - 22 * hour])
    await db
      .insertInto('alarms')
      .values({
        ...{ id: idOf('L'), pool_id: production, kind: 'MASS_LOSS', cleared_at: cleared },
        raised_at: cleared === null ? now - 7 * minute : cleared - 6 * minute,
        message: '4 of 6 workers went out of contact within a minute; none of them is declared lost.',
      })
      .execute();

  await createApiKey(context, {
    name: 'pipeline',
    role: 'operator',
    spaces: ['payments'],
    expiresAt: now + 90 * 24 * hour,
  });
  await createApiKey(context, { name: 'dashboard', role: 'reader', spaces: ['root'], expiresAt: null });
  await enter(
    context,
    { subject: 'https://id.acme.example 81', name: 'grace@acme.example', role: 'operator', spaces: ['root'] },
    '192.0.2.9',
  );
  return {
    pools: '/pools',
    workers: `/pools/${production}`,
    'one worker': `/pools/${production}#${worker}`,
    queued: `/pools/${production}/queued`,
    'used by': `/pools/${production}/used-by`,
    'activity of a pool': `/pools/${production}/activity?span=24h`,
    'public pool': '/pools/public',
    'public pool, used by': '/pools/public/used-by',
    stacks: '/stacks',
    stack: `/stacks/${billing}`,
    'stack, environment': `/stacks/${billing}/environment`,
    'stack, webhooks': `/stacks/${billing}/webhooks`,
    'stack, schedules': `/stacks/${billing}/schedules`,
    'locked stack': `/stacks/${search}`,
    'failed run': failed,
    'unconfirmed run': unconfirmed,
    'run at work': working,
    'queued run': queued,
    activity: '/activity?span=24h',
    alarms: '/alarms',
    audit: '/audit',
    access: '/access',
  };
}
