// Step 6: what stacks have produced, and which variables of other stacks that goes into.
export const outputsStatements: readonly string[] = [
  `create table stack_outputs (
    stack_id text not null references stacks on delete cascade,
    name text not null,
    kind text not null check (kind in ('plain', 'sealed', 'withheld')),
    value text,
    sealed_for text,
    run_id text not null,
    created_at bigint not null,
    primary key (stack_id, name),
    check ((kind = 'withheld') = (value is null)),
    check ((kind = 'sealed') = (sealed_for is not null))
  )`,
  `create table stack_dependency_references (
    id text primary key,
    dependency_id text not null references stack_dependencies on delete cascade,
    output_name text not null,
    input_name text not null,
    created_at bigint not null,
    unique (dependency_id, input_name)
  )`,
];
