// Step 9: webhooks of stacks, and what was delivered to them.
export const webhookStatements: readonly string[] = [
  `create table webhooks (
    id text primary key,
    stack_id text not null references stacks on delete cascade,
    provider text not null,
    secret_hash text,
    secret_sealed text,
    created_at bigint not null,
    created_by text,
    last_delivery_at bigint,
    last_outcome text,
    check ((secret_hash is null) <> (secret_sealed is null))
  )`,
  'create index webhooks_stack on webhooks (stack_id, id)',
  `create table webhook_deliveries (
    webhook_id text not null references webhooks on delete cascade,
    delivery text not null,
    at bigint not null,
    result jsonb not null,
    primary key (webhook_id, delivery)
  )`,
  'create index webhook_deliveries_at on webhook_deliveries (at)',
];
