// Step 16: codes of one-time links, which any process may be asked for.
export const signInStatements: readonly string[] = [
  `create table sign_in_codes (
    code_hash text primary key,
    key_id text not null,
    expires_at bigint not null
  )`,
];
