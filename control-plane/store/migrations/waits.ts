// Step 18: since when each run has waited for its worker, apart from what orders the queue.
export const waitsStatements: readonly string[] = [
  'alter table runs add column waiting_since bigint',
  // Those that wait now: since they entered the state. Of all others nobody asks any more.
  `update runs set waiting_since = coalesce(
      (select at from run_transitions where run_id = runs.id and run_transitions.state = runs.state order by number desc limit 1),
      queued_at
    )
    where state in ('QUEUED', 'CONFIRMED')`,
];
