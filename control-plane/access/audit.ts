// Who changed what: written in the transaction of the change, so that there is never one without the other. What the
// control plane does by itself is in the histories of runs and in its log, not here.
import { sql } from 'kysely';
import type { Context, Tx } from '../context.js';
import type { AuditRow } from '../store/schema.js';
import type { Rights } from './rights.js';
import { searchRows, type Page, type SearchInput, type Searchable } from '../store/search.js';

/** Who asks, as far as the audit log is concerned. */
export interface Actor {
  readonly key: string;
  readonly name: string;
  /** Where the request came from; null when that is not known. */
  readonly address: string | null;
}

export const resourceTypes = ['api-key', 'run', 'space', 'stack', 'worker', 'worker-pool'] as const;
export type ResourceType = (typeof resourceTypes)[number];

export interface Change {
  /** `<what>.<verb>`, such as `stack.lock`. */
  readonly action: string;
  readonly type: ResourceType;
  readonly id: string;
  /** Whose readers may see the entry; null: administrators only. */
  readonly space: string | null;
  /** What of it is told: never a secret. Null before it was made, and after it was deleted. */
  readonly before: object | null;
  readonly after: object | null;
}

export function actorOf(
  identity: { readonly id: string; readonly name: string },
  address: string | null,
): Actor {
  return { key: identity.id, name: identity.name, address };
}

/** The context in the name of somebody: what is changed with it is on record. */
export function acting(context: Context, actor: Actor): Context {
  return { ...context, actor };
}

/** Records a change. Nothing where nobody in particular made it. */
export async function audit(
  tx: Tx,
  context: Pick<Context, 'actor' | 'clock' | 'ids'>,
  change: Change,
): Promise<void> {
  const { actor } = context;
  if (actor === undefined) return;
  await tx
    .insertInto('audit_entries')
    .values({
      id: context.ids.next(),
      at: context.clock.now(),
      key_id: actor.key,
      username: actor.name,
      address: actor.address,
      action: change.action,
      resource_type: change.type,
      resource_id: change.id,
      space: change.space,
      before: change.before === null ? null : JSON.stringify(change.before),
      after: change.after === null ? null : JSON.stringify(change.after),
    })
    .execute();
}

/** The same for a change of a stack's thing, whose space it has. */
export async function auditOfStack(
  tx: Tx,
  context: Pick<Context, 'actor' | 'clock' | 'ids'>,
  stack: string,
  change: Omit<Change, 'space'>,
): Promise<void> {
  if (context.actor === undefined) return;
  const row = await tx.selectFrom('stacks').select('space').where('id', '=', stack).executeTakeFirst();
  await audit(tx, context, { ...change, space: row?.space ?? null });
}

const searchable: Searchable = {
  fields: {
    id: { kind: 'text', is: sql`found.id` },
    action: { kind: 'text', is: sql`found.action` },
    username: { kind: 'text', is: sql`found.username` },
    resourceType: { kind: 'text', is: sql`found.resource_type` },
    resourceId: { kind: 'text', is: sql`found.resource_id` },
    space: { kind: 'text', is: sql`coalesce(found.space, '')` },
    address: { kind: 'text', is: sql`coalesce(found.address, '')` },
  },
  text: sql`lower(concat_ws(' ', found.action, found.username, found.resource_id, found.before::text, found.after::text))`,
  orders: { id: [], createdAt: [sql`found.at`] },
  usualOrder: { field: 'id', direction: 'DESC' },
  id: sql`found.id`,
};

/**
 * Newest first unless asked otherwise. What is of no space (keys, people, spaces that are gone) only administrators see,
 * as they alone see those things themselves. Throws INVALID_ARGUMENT.
 */
export function searchAudit(
  context: Pick<Context, 'db'>,
  input: SearchInput,
  { identity, spaces }: Pick<Rights, 'identity' | 'spaces'>,
): Promise<Page<AuditRow>> {
  const all = identity.role === 'administrator' ? sql`true` : sql`space is not null`;
  const visible = spaces === null ? all : sql`space in (${sql.join(['', ...spaces])})`;
  return searchRows(
    context.db,
    sql<AuditRow>`select * from audit_entries where ${visible}`,
    searchable,
    input,
  );
}
