// One-time links that sign a browser in: shown in the terminal of whoever started the control plane. They are in the
// database, so that a link opens at whichever process the browser comes to, and at one of them only.
import type { Context } from '../context.js';
import { hashSecret, randomSecret } from './secrets.js';

/** Milliseconds that an unused link counts. */
const validity = 15 * 60 * 1000;

export interface SignInLinks {
  /** A code for a link, good once for the given API key. */
  create(keyId: string): Promise<string>;
  /** Answers the id of the API key and uses the code up; undefined for one that is unknown, used or too old. */
  redeem(code: string): Promise<string | undefined>;
}

/** Stored are hashes: who reads the database cannot sign in with what is there. */
export function createSignInLinks({ db, clock }: Pick<Context, 'db' | 'clock'>): SignInLinks {
  return {
    async create(keyId) {
      const now = clock.now();
      const code = randomSecret();
      await db.deleteFrom('sign_in_codes').where('expires_at', '<=', now).execute();
      await db
        .insertInto('sign_in_codes')
        .values({ code_hash: hashSecret(code), key_id: keyId, expires_at: now + validity })
        .execute();
      return code;
    },
    async redeem(code) {
      // Of several who come at once, one deletes the row and the others find none.
      const used = await db
        .deleteFrom('sign_in_codes')
        .where('code_hash', '=', hashSecret(code))
        .returning(['key_id', 'expires_at'])
        .executeTakeFirst();
      return used !== undefined && used.expires_at > clock.now() ? used.key_id : undefined;
    },
  };
}
