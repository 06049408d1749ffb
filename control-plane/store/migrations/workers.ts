// Step 8: why a worker takes no run, and what is remembered of workers that were lost.
export const workersStatements: readonly string[] = [
  'alter table workers add column unavailable text',
  `create table lost_workers (
    id text primary key,
    pool_id text not null references worker_pools,
    drained boolean not null,
    lost_at bigint not null
  )`,
];
