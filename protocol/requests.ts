// Certificate signing requests: made for users, and read as users make them.
import 'reflect-metadata';
import { createPublicKey, generateKeyPair, webcrypto, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import * as z from 'zod';
import { PoolwrightError } from './errors.js';
import { assertRsa } from './keys.js';
import { onlyBlock, toPem } from './pem.js';

const what = 'The certificate signing request';
const signing = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;
const algorithmSchema = z.object({ hash: z.object({ name: z.string() }) });
const acceptedHashes = new Set(['SHA-256', 'SHA-384', 'SHA-512']);

export interface KeyAndRequest {
  /** PEM (PKCS #8), not encrypted: to be kept with mode 0600. */
  readonly privateKey: string;
  /** PEM. */
  readonly request: string;
}

export interface CertificateRequest {
  /** RSA, of an accepted size. The holder of the private half signed the request. */
  readonly publicKey: KeyObject;
  /** Clean PEM. */
  readonly pem: string;
}

/** A new RSA-4096 key and a request for it, made by native code in a second or two, off the main thread. */
export async function generateKeyAndRequest(): Promise<KeyAndRequest> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: 4096 });
  const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' });
  const spki = pair.publicKey.export({ type: 'spki', format: 'der' });
  const keys = {
    privateKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, signing, false, ['sign']),
    publicKey: await webcrypto.subtle.importKey('spki', spki, signing, true, ['verify']),
  };
  // The name says nothing: the control plane puts the pool's id in its place.
  const created = await Pkcs10CertificateRequestGenerator.create(
    { name: 'CN=worker-pool', keys, signingAlgorithm: signing },
    webcrypto,
  );
  return {
    privateKey: toPem('PRIVATE KEY', pkcs8),
    request: toPem('CERTIFICATE REQUEST', new Uint8Array(created.rawData)),
  };
}

/**
 * Reads a request and checks that it is signed by its own key, with SHA-256 or better, and that the key can
 * be used. Name and extensions are not looked at. Throws INVALID_CSR with the reason, whatever the text is.
 */
export async function readRequest(text: string): Promise<CertificateRequest> {
  const { der, pem } = onlyBlock(text, {
    code: 'INVALID_CSR',
    what,
    labels: ['CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'],
  });
  const { request, publicKey } = parse(der);
  assertRsa(publicKey, 'INVALID_CSR', 'The key of the certificate signing request');
  const hash = hashOf(request);
  if (hash === undefined || !acceptedHashes.has(hash)) {
    const found = hash === undefined ? 'in a way that is not known here' : `with ${hash}`;
    throw refused(`is signed ${found}. Expected RSA with SHA-256, SHA-384 or SHA-512`);
  }
  if (!(await isSignedByItsKey(request))) {
    throw refused('is not signed by the key in it. Make it anew from the private key');
  }
  return { publicKey, pem };
}

function parse(der: Buffer): { request: Pkcs10CertificateRequest; publicKey: KeyObject } {
  try {
    const request = new Pkcs10CertificateRequest(der);
    const spki = Buffer.from(request.publicKey.rawData);
    return { request, publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }) };
  } catch (cause) {
    throw refused('is damaged: its content cannot be parsed. Copy it anew', cause);
  }
}

function hashOf(request: Pkcs10CertificateRequest): string | undefined {
  try {
    return algorithmSchema.parse(request.signatureAlgorithm).hash.name;
  } catch {
    // The library throws for algorithms that it does not know; which one it was helps nobody.
    return undefined;
  }
}

async function isSignedByItsKey(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify(webcrypto);
  } catch (cause) {
    throw refused('has a signature that cannot be checked. Make it anew from the private key', cause);
  }
}

function refused(reason: string, cause?: unknown): PoolwrightError {
  return new PoolwrightError('INVALID_CSR', `${what} ${reason}.`, { cause });
}
