// Step 13: the queue's index in one direction, so that what stands behind or ahead of a run is a range of it; and what
// holds on to stored objects is found without looking at all runs.
export const positionsStatements: readonly string[] = [
  'drop index runs_queue',
  // The priority itself is there for scans of nothing but the index.
  `create index runs_queue on runs (pool_id, (-priority), turn, queued_at, id) include (priority)
    where worker_id is null and state in ('QUEUED', 'CONFIRMED') and hold is null`,
  'create index runs_workspace on runs (workspace_object) where workspace_object is not null',
];
