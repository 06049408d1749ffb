// Step 2: the public pool, fair turns, holds, dependencies between stacks, locks with a note.
import { publicPoolId } from '../pool-tables.js';

export const queueStatements: readonly string[] = [
  'alter table worker_pools add column public boolean not null default false',
  'alter table worker_pools add column turn bigint not null default 0',
  'create unique index worker_pools_public on worker_pools (public) where public',
  // Its certificate is empty until an administrator gives it one.
  `insert into worker_pools (id, name, description, labels, space, managed_by_k8s_controller, certificate,
      certificate_serial, public_key, created_at, updated_at, public)
    values ('${publicPoolId}', 'public', '', '[]', 'root', false, '', '', '', 0, 0, true)`,
  'drop index worker_pools_name',
  'create unique index worker_pools_name on worker_pools (name) where deleted_at is null and not public',
  'alter table worker_pools add column workers_gone_at bigint',
  'alter table workers add column busy_since bigint',
  'alter table stacks add column lock_note text',
  'alter table stacks add column locked_at bigint',
  'alter table stacks add column turn bigint not null default 0',
  'alter table runs add column turn bigint not null default 0',
  'alter table runs add column hold text',
  'alter table runs add column drift boolean not null default false',
  'alter table runs add column force_apply text',
  'alter table runs add column skip_initialization boolean not null default false',
  'alter table runs add column origin text',
  'drop index runs_queue',
  `create index runs_queue on runs (pool_id, priority desc, turn, queued_at, id)
    where worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is null`,
  // The head of a stack's queue, and those of its waiting runs that do not just stand behind the head.
  `create index runs_stack_queue on runs (stack_id, priority desc, turn, id)
    where worker_id is null and state = 'QUEUED'`,
  `create index runs_stack_open on runs (stack_id)
    where worker_id is null and state = 'QUEUED' and (hold is null or hold <> 'STACK')`,
  `create index runs_open on runs (stack_id, id)
    where state not in ('FINISHED', 'FAILED', 'STOPPED', 'CANCELED', 'DISCARDED')`,
  `create index runs_active on runs (pool_id, drift) where worker_id is not null`,
  `create table stack_dependencies (
    id text primary key,
    stack_id text not null references stacks on delete cascade,
    depends_on text not null references stacks on delete cascade,
    created_at bigint not null,
    unique (stack_id, depends_on),
    check (stack_id <> depends_on)
  )`,
  'create index stack_dependencies_upstream on stack_dependencies (depends_on)',
];
