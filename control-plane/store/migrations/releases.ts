// Step 7: releases of the launcher, and what workers say of them.
export const releaseStatements: readonly string[] = [
  `create table launcher_releases (
    id text primary key,
    pool_id text not null references worker_pools,
    payload text not null,
    signature text not null,
    within_ms bigint not null,
    published_by text not null,
    created_at bigint not null,
    completed_at bigint,
    withdrawn_at bigint
  )`,
  'create index launcher_releases_pool on launcher_releases (pool_id, id desc)',
  'alter table workers add column updates jsonb',
];
