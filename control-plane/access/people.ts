// People who sign in elsewhere (OpenID Connect). Each has a row among the API keys, without a secret: so what they change
// is on record under one id, and their access is ended like a key's.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Context } from '../context.js';
import { audit } from './audit.js';
import { identityOfKey, type Identity } from './api-keys.js';
import type { Person } from './oidc/claims.js';

type Store = Pick<Context, 'db' | 'clock' | 'ids'>;

/**
 * Who has just signed in. Name, role and spaces are those of now, also for sessions of earlier. Throws FORBIDDEN for
 * somebody whose access was revoked.
 */
export async function enter(context: Store, person: Person, address: string | null): Promise<Identity> {
  const { subject, name, role, spaces } = person;
  const id = await context.db.transaction().execute(async (tx) => {
    const fresh = context.ids.next();
    await tx
      .insertInto('api_keys')
      .values({
        id: fresh,
        ...{ name, role, subject },
        spaces: JSON.stringify(spaces),
        // The hash of nothing: no secret fits.
        secret_hash: '',
        created_at: context.clock.now(),
        revoked_at: null,
      })
      .onConflict((conflict) => conflict.column('subject').doNothing())
      .execute();
    const before = await tx
      .selectFrom('api_keys')
      .selectAll()
      .where('subject', '=', subject)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (before.revoked_at !== null) {
      throw new PoolwrightError(
        'FORBIDDEN',
        'Your access to this control plane was revoked. Ask an administrator of Poolwright.',
      );
    }
    const told = { name, role, spaces };
    const earlier = { name: before.name, role: before.role, spaces: before.spaces };
    const isNew = before.id === fresh;
    if (!isNew && JSON.stringify(earlier) === JSON.stringify(told)) return before.id;
    await tx
      .updateTable('api_keys')
      .set({ name, role, spaces: JSON.stringify(spaces) })
      .where('id', '=', before.id)
      .execute();
    const actor = { key: before.id, name, address };
    await audit(
      tx,
      { ...context, actor },
      {
        action: isNew ? 'person.create' : 'person.change',
        ...{ type: 'api-key', id: before.id, space: null, before: isNew ? null : earlier, after: told },
      },
    );
    return before.id;
  });
  return identityOfKey(context, id);
}
