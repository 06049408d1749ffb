// A pool with everything on both sides of it: authority, signing key, server certificate, token, private key.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  createAuthority,
  issuePoolCertificate,
  issueServerCertificate,
  type Authority,
} from '../../../protocol/certificates.js';
import { createSigningKey } from '../../../protocol/signing.js';
import { encodeToken, type PoolToken } from '../../../protocol/token.js';
import { keyAndRequest, rsaSha256 } from '../../protocol/support/fixtures.js';
import { pool } from '../../protocol/support/messages.js';

export interface TestPool {
  readonly authority: Authority;
  readonly server: { readonly certificate: string; readonly privateKey: string };
  readonly signingKey: KeyObject;
  /** PEM of the pool's key. */
  readonly privateKey: string;
  readonly key: KeyObject;
  /** PEM. */
  readonly certificate: string;
  /** The token for a broker at this port of localhost. */
  token(port: number): PoolToken;
  /** The two variables that a launcher needs. */
  environment(port: number): Record<string, string>;
}

/** `now` is when the certificates are made, default the present. */
export async function makePool(now = Date.now()): Promise<TestPool> {
  const authority = await createAuthority({ now });
  const server = await issueServerCertificate({ authority, hosts: ['localhost', '127.0.0.1'], now });
  const { csr, privateKey } = await keyAndRequest(rsaSha256);
  const { certificate } = await issuePoolCertificate({ authority, csr, pool, now });
  const signing = createSigningKey();
  const token = (port: number): PoolToken => ({
    v: 1,
    pool,
    broker: { endpoint: `ssl://localhost:${String(port)}` },
    certificate,
    authorities: [authority.certificate],
    signingKey: signing.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  });
  return {
    authority,
    server,
    signingKey: signing.privateKey,
    privateKey,
    key: createPrivateKey(privateKey),
    certificate,
    token,
    environment: (port) => ({
      SPACELIFT_TOKEN: encodeToken(token(port)),
      SPACELIFT_POOL_PRIVATE_KEY: Buffer.from(privateKey).toString('base64'),
    }),
  };
}
