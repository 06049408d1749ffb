// Step 4: alarms, and the schedule on which stacks are looked at for drift.
export const watchStatements: readonly string[] = [
  `create table alarms (
    id text primary key,
    pool_id text not null references worker_pools,
    kind text not null,
    message text not null,
    raised_at bigint not null,
    cleared_at bigint
  )`,
  'create unique index alarms_open on alarms (pool_id, kind) where cleared_at is null',
  'alter table stacks add column drift_detection jsonb',
  'alter table stacks add column drift_next_at bigint',
  'create index stacks_drift on stacks (drift_next_at) where drift_next_at is not null',
];
