// Step 17: sessions of browsers, and audit entries by time, so that old ones can go.
export const sessionsStatements: readonly string[] = [
  // Those that were opened before have no row, and count no more.
  `create table browser_sessions (
    id text primary key,
    key_id text not null references api_keys on delete cascade,
    until bigint not null
  )`,
  'create index audit_entries_at on audit_entries (at)',
];
