// A token with its key, as a user would hold them.
import { encodeToken } from '../../../protocol/token.js';
import { makePool } from '../../launcher/support/pool.js';

export async function poolCredentials(): Promise<{ token: string; privateKey: string }> {
  const pool = await makePool();
  return { token: encodeToken(pool.token(8883)), privateKey: pool.privateKey };
}
