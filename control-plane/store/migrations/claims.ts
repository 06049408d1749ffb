// Step 10: the worker that has been idle longest is found without sorting all that are idle, and the runs of an upload
// without looking at all runs.
export const claimsStatements: readonly string[] = [
  'drop index workers_idle',
  `create index workers_idle on workers (pool_id, available_at, id)
    where connected and not leaving and not drained and unavailable is null and run_id is null`,
  'create index runs_archive on runs (archive_object) where archive_object is not null',
];
