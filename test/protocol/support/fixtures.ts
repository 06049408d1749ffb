// Keys and certificates for tests, made once for each test file. 2048 bits: the rules are the same, the wait is not.
import 'reflect-metadata';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { createAuthority, issuePoolCertificate, type Authority } from '../../../protocol/certificates.js';
import { createSigningKey } from '../../../protocol/signing.js';
import type { PoolToken } from '../../../protocol/token.js';
import { pool } from './messages.js';

/** The time that fixtures are made at. */
export const now = Date.UTC(2026, 0, 15);

export interface RsaPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** An RSA pair as PEM. */
export function rsaPair(modulusLength = 2048): RsaPair {
  return generateKeyPairSync('rsa', {
    modulusLength,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
}

/** A request, signed in a way of choice, for a key that is generated with it. */
export async function request(
  algorithm: { name: string; hash?: string; namedCurve?: string },
  bits = 2048,
): Promise<string> {
  const parameters = {
    hash: 'SHA-256',
    namedCurve: 'P-256',
    modulusLength: bits,
    publicExponent: new Uint8Array([1, 0, 1]),
    ...algorithm,
  };
  const keys = await webcrypto.subtle.generateKey(parameters, true, ['sign', 'verify']);
  const signingAlgorithm = { saltLength: 32, hash: 'SHA-256', ...algorithm };
  const created = await Pkcs10CertificateRequestGenerator.create(
    { name: 'CN=x', keys, signingAlgorithm },
    webcrypto,
  );
  return created.toString('pem');
}

export const rsaSha256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;

export interface PoolFixture {
  readonly authority: Authority;
  readonly csr: string;
  readonly token: PoolToken;
}

/** A pool with all that its token holds. */
export async function poolFixture(): Promise<PoolFixture> {
  const authority = await createAuthority({ now });
  const csr = await request(rsaSha256);
  const { certificate } = await issuePoolCertificate({ authority, csr, pool, now });
  const signingKey = createSigningKey().publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const broker = { endpoint: 'ssl://broker.example.com:8883' };
  return {
    authority,
    csr,
    token: { v: 1, pool, broker, certificate, authorities: [authority.certificate], signingKey },
  };
}
