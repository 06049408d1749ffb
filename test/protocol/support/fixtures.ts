// Keys and certificates for tests, made once for each test file. 2048 bits: the rules are the same, the wait is not.
import 'reflect-metadata';
import { createPrivateKey, generateKeyPairSync, KeyObject, webcrypto } from 'node:crypto';
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Pkcs10CertificateRequestGenerator,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
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

export interface SigningChoice {
  readonly name: string;
  readonly hash?: string;
  readonly namedCurve?: string;
}

/** A request (PEM), signed in a way of choice. */
export async function request(algorithm: SigningChoice, bits = 2048): Promise<string> {
  return (await keyAndRequest(algorithm, bits)).csr;
}

/** The same with its private key (PEM). */
export async function keyAndRequest(
  algorithm: SigningChoice,
  bits = 2048,
): Promise<{ csr: string; privateKey: string }> {
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
  const privateKey = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { csr: created.toString('pem'), privateKey };
}

export const rsaSha256 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;

/** A client of a broker that is no pool, such as the control plane itself: certificate and key as PEM. */
export async function clientIdentity(
  authority: Authority,
  name: string,
  time: number,
): Promise<{ certificate: string; privateKey: string }> {
  const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const { publicKey, privateKey } = await webcrypto.subtle.generateKey(ecdsa, true, ['sign', 'verify']);
  const issuerKey = createPrivateKey(authority.privateKey).export({ type: 'pkcs8', format: 'der' });
  const certificate = await X509CertificateGenerator.create(
    {
      subject: `CN=${name}`,
      issuer: new X509Certificate(authority.certificate).subject,
      notBefore: new Date(time - 60_000),
      notAfter: new Date(time + 3_600_000),
      publicKey,
      signingKey: await webcrypto.subtle.importKey('pkcs8', issuerKey, ecdsa, false, ['sign']),
      signingAlgorithm: ecdsa,
      extensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])],
    },
    webcrypto,
  );
  const key = KeyObject.from(privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
  return { certificate: certificate.toString('pem'), privateKey: key };
}

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
