-- What a control plane of database version 1 had stored: one of everything, and a run that waits.
insert into api_keys values ('01HZ0000000000000000000KEY', 'administrator', 'hash', 'administrator', 1, null);
insert into worker_pools values ('01HZ00000000000000000000PA', 'pool', 'a "pool"', '["a", "b"]', 'root', 2, false,
  'certificate', '01', 'key', 1, 2, null);
insert into workers values ('01HZ00000000000000000000WA', '01HZ00000000000000000000PA', 'cccccccccccccccccccccccccccccccc', '01',
  '{"instance_id": "i-1"}', 'v', 'host', true, false, false, null, 1, 2, 3, null);
insert into stacks values ('stack', 'Stack', '', '[]', 'root', '01HZ00000000000000000000PA', 'commands', null, 'main', null, null,
  true, false, false, null,
  '{"beforeInit":[],"afterInit":[],"beforePlan":[],"afterPlan":[],"beforeApply":[],"afterApply":[],"beforePerform":[],"afterPerform":[]}',
  '{"plan":["true"],"apply":["true"],"destroy":[]}', 1, 2);
insert into stack_variables values ('stack', 'NAME', 'plain', 'value', null, 1);
insert into runs (id, stack_id, pool_id, type, state, stage, attempt, begun, unbegun_attempts, title, created_at, updated_at,
  queued_at, deadline_at, priority, branch, applied_number, requested_by, runtime_config)
values
  ('01HZ00000000000000000000RA', 'stack', '01HZ00000000000000000000PA', 'TRACKED', 'FINISHED', 'APPLY', 2, false, 0, 'first', 1, 5,
   1, null, 0, 'main', 9, 'administrator', '{}'),
  ('01HZ00000000000000000000RB', 'stack', '01HZ00000000000000000000PA', 'TRACKED', 'QUEUED', 'PLAN', 0, false, 0, 'second', 6, 6,
   6, 9000000000000, 0, 'main', 0, 'administrator', '{"environment":[{"name":"A","value":"b"}]}');
insert into run_transitions values
  ('01HZ00000000000000000000RA', 1, 'QUEUED', 1, null, 'administrator', null, 0),
  ('01HZ00000000000000000000RA', 2, 'READY', 3, null, null, '01HZ00000000000000000000WA', 2),
  ('01HZ00000000000000000000RA', 3, 'APPLYING', 4, null, null, '01HZ00000000000000000000WA', 2),
  ('01HZ00000000000000000000RA', 4, 'FINISHED', 5, 'done', null, '01HZ00000000000000000000WA', 2),
  ('01HZ00000000000000000000RB', 1, 'QUEUED', 6, null, 'administrator', null, 0);
insert into uploads values ('01HZ00000000000000000000UA', 'stack', 'administrator', 1, 2);
