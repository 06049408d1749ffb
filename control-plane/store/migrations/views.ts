// Step 14: indexes for what the pages ask: activity over time, the workers and stacks of a pool, its held runs.
export const viewsStatements: readonly string[] = [
  `create index run_transitions_activity on run_transitions (at)
    where state in ('READY', 'APPLYING', 'FAILED')`,
  'create index workers_pool on workers (pool_id)',
  'create index stacks_pool on stacks (pool_id)',
  `create index runs_held on runs (pool_id, (-priority), turn, queued_at, id)
    where worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is not null`,
];
