// What worker pools can be searched by.
import { sql } from 'kysely';
import type { Context } from '../context.js';
import type { PoolRow } from '../store/schema.js';
import { searchRows, type Page, type SearchInput, type Searchable } from '../store/search.js';

const searchable: Searchable = {
  fields: {
    id: { kind: 'text', is: sql`found.id` },
    name: { kind: 'text', is: sql`found.name` },
    description: { kind: 'text', is: sql`found.description` },
    space: { kind: 'text', is: sql`found.space` },
    label: { kind: 'matcher', matches: (value) => sql`found.labels @> jsonb_build_array(${value}::text)` },
    labels: { kind: 'matcher', matches: (value) => sql`found.labels @> jsonb_build_array(${value}::text)` },
    managedByK8sController: { kind: 'boolean', is: sql`found.managed_by_k8s_controller` },
  },
  text: sql`lower(concat_ws(' ', found.id, found.name, found.description, found.labels::text))`,
  orders: {
    id: [],
    name: [sql`lower(found.name)`],
    createdAt: [sql`found.created_at`],
    updatedAt: [sql`found.updated_at`],
    space: [sql`found.space`],
  },
  usualOrder: { field: 'name', direction: 'ASC' },
  id: sql`found.id`,
};

/** Throws INVALID_ARGUMENT. */
export function searchPools(
  context: Pick<Context, 'db'>,
  input: SearchInput,
  spaces: readonly string[] | null,
): Promise<Page<PoolRow>> {
  const visible = spaces === null ? sql`true` : sql`space in (${sql.join(['', ...spaces])})`;
  const from = sql<PoolRow>`
    select * from worker_pools where deleted_at is null and not public and ${visible}`;
  return searchRows(context.db, from, searchable, input);
}
