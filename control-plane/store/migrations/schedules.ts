// Step 19: schedules of stacks, which start runs and tasks at given times.
export const scheduleStatements: readonly string[] = [
  `create table stack_schedules (
    id text primary key,
    stack_id text not null references stacks on delete cascade,
    kind text not null check (kind in ('run', 'task')),
    name text not null,
    command text,
    cron jsonb not null,
    timezone text not null,
    at bigint,
    runtime_config jsonb not null,
    next_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    created_by text,
    last_at bigint,
    last_outcome text,
    last_run text,
    check ((kind = 'task') = (command is not null)),
    check ((at is null) = (jsonb_array_length(cron) > 0))
  )`,
  'create index stack_schedules_stack on stack_schedules (stack_id, id)',
  'create index stack_schedules_next on stack_schedules (next_at) where next_at is not null',
];
