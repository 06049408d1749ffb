// Step 6: the address at which a Git server tells a stack of pushes, and which deliveries were taken.
export const hookStatements: readonly string[] = [
  // The secret cannot be a hash: signatures are made with it.
  'alter table stacks add column webhook_secret text',
  `create table webhook_deliveries (
    stack_id text not null references stacks on delete cascade,
    delivery text not null,
    received_at bigint not null,
    run_id text,
    primary key (stack_id, delivery)
  )`,
  'create index webhook_deliveries_age on webhook_deliveries (received_at)',
];
