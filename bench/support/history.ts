// A control plane's folder with a past: pools, stacks and thousands of runs with their histories, as months of use leave
// them. Written into the database before the control plane is started on it.
import { join } from 'node:path';
import { sql, type Kysely } from 'kysely';
import { openDatabase } from '../../control-plane/store/database.js';
import type { Database } from '../../control-plane/store/schema.js';

export interface HistorySize {
  readonly runs: number;
  readonly stacks: number;
  readonly pools: number;
  readonly workers: number;
  /** Of the runs, those that wait, and those that wait behind another of their stack. */
  readonly queued: number;
  readonly held: number;
  readonly auditEntries: number;
}

export const usualHistory: HistorySize = {
  runs: 10_000,
  stacks: 60,
  pools: 4,
  workers: 24,
  queued: 300,
  held: 200,
  auditEntries: 5000,
};

/** Ids that sort by number and look like ULIDs; pools 1 to n, stacks `stack-1` to `stack-n`. */
export const idOf = (kind: 'pool' | 'worker' | 'run' | 'audit', number: number) =>
  `01J${{ pool: 'P', worker: 'W', run: 'R', audit: 'A' }[kind]}${String(number).padStart(22, '0')}`;

/** `folder`: the data folder of a control plane that was never started. `now`: Unix milliseconds. */
export async function writeHistory(folder: string, now: number, size: HistorySize): Promise<void> {
  const db = await openDatabase({ folder: join(folder, 'database'), now });
  try {
    await sql`set statement_timeout = 0`.execute(db);
    await places(db, now, size);
    await runs(db, now, size);
    await audits(db, now, size);
    await sql`analyze`.execute(db);
  } finally {
    await db.destroy();
  }
}

async function places(db: Kysely<Database>, now: number, size: HistorySize): Promise<void> {
  await sql`insert into worker_pools (id, name, description, labels, space, managed_by_k8s_controller, certificate,
      certificate_serial, public_key, created_at, updated_at)
    select '01JP' || lpad(n::text, 22, '0'), (array['production', 'staging', 'network', 'data'])[1 + (n - 1) % 4]
        || case when n > 4 then '-' || n else '' end,
      (array['The account that customers use', 'Previews and tests', 'Transit and DNS', 'Warehouses'])[1 + (n - 1) % 4],
      '[]', 'root', false, 'certificate', '01', 'key', ${now}, ${now}
    from generate_series(1, ${sql.lit(size.pools)}) as n`.execute(db);
  await sql`insert into stacks (id, name, description, labels, space, pool_id, tool, branch, autodeploy, administrative,
      disabled, hooks, commands, created_at, updated_at)
    select 'stack-' || n, (array['billing', 'checkout', 'search', 'identity', 'ledger', 'mail'])[1 + n % 6] || '-' || n,
      'Owned by team ' || (n % 7), '[]', 'root', '01JP' || lpad((1 + n % ${sql.lit(size.pools)})::text, 22, '0'), 'opentofu', 'main',
      n % 3 = 0, false, false,
      '{"beforeInit":[],"afterInit":[],"beforePlan":[],"afterPlan":[],"beforeApply":[],"afterApply":[],"beforePerform":[],"afterPerform":[]}',
      '{"plan":[],"apply":[],"destroy":[]}', ${now}, ${now}
    from generate_series(1, ${sql.lit(size.stacks)}) as n`.execute(db);
  await sql`insert into workers (id, pool_id, session, certificate_serial, metadata, version, executor, connected, leaving,
      drained, run_id, created_at, available_at, last_contact_at)
    select '01JW' || lpad(n::text, 22, '0'), '01JP' || lpad((1 + n % ${sql.lit(size.pools)})::text, 22, '0'), repeat('a', 32), '01',
      jsonb_build_object('instance_id', 'i-0' || md5(n::text)::varchar(16), 'asg_id', 'pool-workers'), '246105f8a7015db6', 'docker',
      true, false, n % 9 = 0, null, ${now}::bigint - n * 3600000, ${now}::bigint - 60000, ${now}::bigint - 2000
    from generate_series(1, ${sql.lit(size.workers)}) as n`.execute(db);
}

/** Runs end over thirty days; the last ones wait. */
async function runs(db: Kysely<Database>, now: number, size: HistorySize): Promise<void> {
  const waiting = size.queued + size.held;
  await sql`insert into runs (id, stack_id, pool_id, type, state, stage, attempt, begun, unbegun_attempts, title, created_at,
      updated_at, queued_at, deadline_at, priority, branch, commit_sha, applied_number, changes, failure_code, failure_message,
      requested_by, runtime_config, hold, turn)
    select '01JR' || lpad(n::text, 22, '0'), 'stack-' || stack, '01JP' || lpad((1 + stack % ${sql.lit(size.pools)})::text, 22, '0'),
      case when ended then (array['TRACKED', 'TRACKED', 'PROPOSED', 'PROPOSED', 'TASK'])[1 + n % 5]
        when held then 'TRACKED' else 'PROPOSED' end,
      state, 'PLAN', case when ended then 1 else 0 end, false, 0,
      (array['Raise the limit of connections', 'Add a replica', 'Rotate certificates', 'Remove old buckets'])[1 + n % 4],
      at, at + 180000, at, case when ended then null else ${now}::bigint + 518400000 end, 0, 'main', md5(n::text), 10,
      case when ended then jsonb_build_object('add', n % 4, 'change', n % 3, 'destroy', n % 2, 'any', true) end,
      case when state = 'FAILED' then (array['COMMAND_FAILED', 'COMMAND_FAILED', 'COMMAND_FAILED', 'RUN_TIMEOUT', 'WORKER_LOST',
        'IMAGE_UNAVAILABLE'])[1 + (n / 9) % 6] end,
      case when state = 'FAILED' then 'The command tofu plan ended with exit code 1.' end,
      (array['ada', 'grace', 'edsger', 'ci'])[1 + n % 4], '{}', case when held then 'STACK' end, n
    from (
      select n, 1 + n % ${sql.lit(size.stacks)} as stack,
        ${now}::bigint - 600000 - (greatest(0, ${sql.lit(size.runs - waiting)} - n)::bigint * (2592000000::bigint / ${sql.lit(size.runs)})) as at,
        n <= ${sql.lit(size.runs - waiting)} as ended, n > ${sql.lit(size.runs - size.held)} as held,
        case when n > ${sql.lit(size.runs - waiting)} then 'QUEUED' when n % 9 = 0 then 'FAILED' when n % 31 = 0 then 'STOPPED'
          when n % 23 = 0 then 'DISCARDED' else 'FINISHED' end as state
      from generate_series(1, ${sql.lit(size.runs)}) as n
    ) as planned`.execute(db);
  // Each ended run was queued for some time, ran for some minutes on one worker, and ended.
  await sql`insert into run_transitions (run_id, number, state, at, note, username, worker_id, attempt, waited, held_since)
    select runs.id, phase.number, case when phase.number = 6 then runs.state else phase.state end,
      runs.created_at + phase.after + case when phase.number > 1 then waited else 0 end,
      null, case when phase.number = 1 then runs.requested_by end,
      case when phase.number > 1 then '01JW' || lpad((1 + abs(hashtext(runs.id)) % ${sql.lit(size.workers)})::text, 22, '0') end, 1,
      case when phase.number = 2 then waited end, case when phase.number = 6 then runs.created_at + waited end
    from (select *, (abs(hashtext(id)) % 100)::bigint * (abs(hashtext(id)) % 100) * 40 as waited from runs) as runs
    join (values (1, 'QUEUED', 0), (2, 'READY', 0), (3, 'PREPARING', 400), (4, 'INITIALIZING', 6000),
      (5, 'PLANNING', 20000), (6, '', 180000)) as phase (number, state, after)
      on phase.number = 1 or runs.state <> 'QUEUED'`.execute(db);
}

async function audits(db: Kysely<Database>, now: number, { auditEntries }: HistorySize): Promise<void> {
  await sql`insert into audit_entries (id, at, key_id, username, address, action, resource_type, resource_id, space, before, after)
    select '01JA' || lpad(n::text, 22, '0'), ${now}::bigint - (${sql.lit(auditEntries)} - n) * 300000::bigint, 'key',
      (array['ada', 'grace', 'edsger'])[1 + n % 3], '192.0.2.' || n % 250,
      (array['run.confirm', 'stack.update', 'worker.drain', 'run.stop'])[1 + n % 4],
      (array['run', 'stack', 'worker', 'run'])[1 + n % 4], '01JR' || lpad(n::text, 22, '0'), 'root',
      (array['{"state":"UNCONFIRMED","priority":0}', '{"name":"billing","autodeploy":false,"labels":["eu"]}', '{"drained":false}',
        '{"state":"APPLYING"}'])[1 + n % 4]::jsonb,
      (array['{"state":"CONFIRMED","priority":0}', '{"name":"billing","autodeploy":true,"labels":["eu","prod"]}', '{"drained":true}',
        '{"state":"APPLYING","note":"wrong branch"}'])[1 + n % 4]::jsonb
    from generate_series(1, ${sql.lit(auditEntries)}) as n`.execute(db);
}
