// Step 15: figures that are kept instead of counted: how many runs of a pool could start if a worker were idle, and in the
// history of each run how long it waited and since when a worker had it.

const waits = (row: 'old' | 'new' | 'runs') =>
  `${row}.worker_id is null and ${row}.state in ('QUEUED', 'CONFIRMED') and ${row}.hold is null`;

/** States in which a worker has a run, but CONFIRMED, which it leaves by APPLYING. */
const held = "('READY', 'PREPARING', 'INITIALIZING', 'PLANNING', 'APPLYING', 'PERFORMING', 'DESTROYING')";

export const figuresStatements: readonly string[] = [
  // Changes, whose sum is the number: a number in one row would make every change of a queue wait for the one before.
  `create table pending_runs (
    pool_id text not null,
    stack_id text not null,
    change bigint not null
  )`,
  `create function note_pending_runs() returns trigger language plpgsql as $$
  begin
    if tg_op <> 'INSERT' and ${waits('old')} then
      insert into pending_runs (pool_id, stack_id, change) values (old.pool_id, old.stack_id, -1);
    end if;
    if tg_op <> 'DELETE' and ${waits('new')} then
      insert into pending_runs (pool_id, stack_id, change) values (new.pool_id, new.stack_id, 1);
    end if;
    return null;
  end $$`,
  `create trigger runs_pending_insert after insert on runs
    for each row when (${waits('new')}) execute function note_pending_runs()`,
  `create trigger runs_pending_delete after delete on runs
    for each row when (${waits('old')}) execute function note_pending_runs()`,
  `create trigger runs_pending_update after update of pool_id, worker_id, state, hold on runs
    for each row when (old.pool_id <> new.pool_id or (${waits('old')}) <> (${waits('new')}))
    execute function note_pending_runs()`,
  // The triggers have locked the table: nothing comes between.
  `insert into pending_runs (pool_id, stack_id, change)
    select pool_id, stack_id, count(*) from runs where ${waits('runs')} group by pool_id, stack_id`,

  'alter table run_transitions add column waited bigint',
  'alter table run_transitions add column held_since bigint',
  `update run_transitions as entered set waited = greatest(0, entered.at - before.at)
    from run_transitions as before
    where entered.state = 'READY' and before.run_id = entered.run_id and before.number = entered.number - 1`,
  `update run_transitions as ended set held_since = (
      select at from run_transitions as began
      where began.run_id = ended.run_id and began.number < ended.number and began.state in ('READY', 'APPLYING')
      order by began.number desc limit 1
    )
    from run_transitions as before
    where ended.state not in ${held} and before.state in ${held}
      and before.run_id = ended.run_id and before.number = ended.number - 1`,
  'drop index run_transitions_activity',
  // All that is asked of them is in the indexes.
  `create index run_transitions_waited on run_transitions (at) include (waited, run_id) where waited is not null`,
  `create index run_transitions_held on run_transitions (at) include (held_since, run_id) where held_since is not null`,
  `create index run_transitions_failed on run_transitions (at) include (run_id) where state = 'FAILED'`,
];
