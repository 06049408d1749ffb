// Step 12: lines that several workers share, when each was heard of, and which worker has registered on which.
export const linesStatements: readonly string[] = [
  `create table worker_lines (
    id text primary key,
    pool_id text not null references worker_pools,
    last_contact_at bigint not null
  )`,
  'alter table workers add column line text',
  'create index workers_line on workers (line) where line is not null',
];
