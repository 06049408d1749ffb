// Step 5: spaces as a tree, API keys of given spaces that can be revoked, and who changed what.
export const accessStatements: readonly string[] = [
  `create table spaces (
    id text primary key,
    name text not null,
    description text not null,
    parent text references spaces,
    created_at bigint not null,
    updated_at bigint not null,
    check ((parent is null) = (id = 'root'))
  )`,
  "insert into spaces (id, name, description, parent, created_at, updated_at) values ('root', 'root', '', null, 0, 0)",
  // Until now a space was but a word.
  `insert into spaces (id, name, description, parent, created_at, updated_at)
    select space, space, '', 'root', 0, 0 from (
      select space from worker_pools union select space from stacks
    ) as words where space <> 'root'`,
  'alter table worker_pools add constraint worker_pools_space foreign key (space) references spaces',
  'alter table stacks add constraint stacks_space foreign key (space) references spaces',
  'create index spaces_parent on spaces (parent)',
  'create index stacks_space on stacks (space)',
  `alter table api_keys add column spaces jsonb not null default '["root"]'`,
  'alter table api_keys add column created_by text',
  'alter table api_keys add column expires_at bigint',
  // Sessions that were opened before count no more.
  'alter table api_keys add column sessions_from bigint not null default 0',
  `create table audit_entries (
    id text primary key,
    at bigint not null,
    key_id text not null,
    username text not null,
    address text,
    action text not null,
    resource_type text not null,
    resource_id text not null,
    space text,
    before jsonb,
    after jsonb
  )`,
  'create index audit_entries_space on audit_entries (space, id)',
  'create index audit_entries_resource on audit_entries (resource_type, resource_id, id)',
];
