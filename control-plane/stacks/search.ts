// What stacks can be searched by.
import { sql } from 'kysely';
import type { Context } from '../context.js';
import type { StackRow } from '../store/schema.js';
import { escaped, searchRows, type Page, type SearchInput, type Searchable } from '../store/search.js';

/** State of the newest run; `NONE` before the first, so that it can be searched for and sorted. */
const state = sql`coalesce((select runs.state from runs where runs.stack_id = found.id order by runs.id desc limit 1), 'NONE')`;

const searchable: Searchable = {
  fields: {
    id: { kind: 'text', is: sql`found.id` },
    name: { kind: 'text', is: sql`found.name` },
    description: { kind: 'text', is: sql`found.description` },
    space: { kind: 'text', is: sql`found.space` },
    branch: { kind: 'text', is: sql`found.branch` },
    projectRoot: { kind: 'text', is: sql`coalesce(found.project_root, '')` },
    workerPool: { kind: 'text', is: sql`coalesce(found.pool_id, '')` },
    tool: { kind: 'text', is: sql`found.tool` },
    state: { kind: 'text', is: state },
    label: { kind: 'matcher', matches: (value) => sql`found.labels @> jsonb_build_array(${value}::text)` },
    labels: { kind: 'matcher', matches: (value) => sql`found.labels @> jsonb_build_array(${value}::text)` },
    repository: { kind: 'matcher', matches: repositoryIs },
    administrative: { kind: 'boolean', is: sql`found.administrative` },
    autodeploy: { kind: 'boolean', is: sql`found.autodeploy` },
    disabled: { kind: 'boolean', is: sql`found.disabled` },
    isDisabled: { kind: 'boolean', is: sql`found.disabled` },
    locked: { kind: 'boolean', is: sql`(found.locked_by is not null)` },
  },
  text: sql`lower(concat_ws(' ', found.id, found.name, found.description, found.labels::text, found.repository))`,
  orders: {
    id: [],
    name: [sql`lower(found.name)`],
    createdAt: [sql`found.created_at`],
    updatedAt: [sql`found.updated_at`],
    space: [sql`found.space`],
    state: [state],
    // Nobody can mark stacks here; clients that put marked ones first get all the same.
    starred: [],
  },
  usualOrder: { field: 'id', direction: 'ASC' },
  id: sql`found.id`,
};

/** Clients name a repository by `owner/name`; a stack has its address. */
function repositoryIs(value: string) {
  const path = escaped(value.toLowerCase().replace(/\.git$/, ''));
  const address = sql`regexp_replace(lower(coalesce(found.repository, '')), '(\\.git)?/?$', '')`;
  return sql`(${address} = ${value.toLowerCase().replace(/(\.git)?\/?$/, '')}
    or ${address} like ${`%/${path}`} or ${address} like ${`%:${path}`})`;
}

/** Throws INVALID_ARGUMENT. */
export function searchStacks(
  context: Pick<Context, 'db'>,
  input: SearchInput,
  spaces: readonly string[] | null,
): Promise<Page<StackRow>> {
  const from =
    spaces === null
      ? sql<StackRow>`select * from stacks`
      : sql<StackRow>`
    select * from stacks where space in (${sql.join(['', ...spaces])})`;
  return searchRows(context.db, from, searchable, input);
}
