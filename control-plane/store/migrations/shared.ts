// Step 3: what several processes share. Secrets that a single process keeps in files of its data folder, and the
// logs of runs: their latest records in the database, what is older in the object store.
export const sharedStatements: readonly string[] = [
  `create table secrets (
    name text primary key,
    value text not null,
    created_at bigint not null
  )`,
  // The row of an attempt is locked while records are appended, so that numbers have no gaps.
  `create table log_attempts (
    run_id text not null,
    attempt integer not null,
    last_number bigint not null,
    bytes bigint not null,
    last_text text,
    begun_at bigint not null,
    updated_at bigint not null,
    primary key (run_id, attempt)
  )`,
  // Records first_number to last_number, one a line: as text here, or as an object of that id.
  `create table log_chunks (
    run_id text not null,
    attempt integer not null,
    first_number bigint not null,
    last_number bigint not null,
    bytes bigint not null,
    records text,
    object text,
    primary key (run_id, attempt, first_number),
    foreign key (run_id, attempt) references log_attempts on delete cascade,
    check ((records is null) <> (object is null))
  )`,
  'create index log_chunks_inline on log_chunks (run_id, attempt) where records is not null',
];
