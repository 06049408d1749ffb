// The control plane's own authority and what it issues. Not for the launcher: the library is large.
import 'reflect-metadata';
import { createPrivateKey, generateKeyPairSync, randomBytes, webcrypto, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { PoolwrightError, messageOf } from './errors.js';
import { onlyBlock, toPem } from './pem.js';
import { readRequest } from './requests.js';
import { ulidSchema } from './topics.js';

/** A certificate authority. The private key is the control plane's greatest secret: mode 0600, never in a log. */
export interface Authority {
  /** PEM. */
  readonly certificate: string;
  /** PEM (PKCS #8). */
  readonly privateKey: string;
}

export interface IssuedCertificate {
  /** PEM. */
  readonly certificate: string;
  /** Upper-case hexadecimal, as node:crypto and node:tls show it. */
  readonly serial: string;
  /** Unix milliseconds. */
  readonly notAfter: number;
}

const day = 24 * 60 * 60 * 1000;
const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
/** Certificates count from a little earlier, for workers whose clock is behind. */
const backdated = 60 * 60 * 1000;
const lifetimes = { authority: 20 * 365 * day, server: 825 * day, pool: 10 * 365 * day } as const;

/** A new P-256 authority. `name` is its common name; `now` is in Unix milliseconds. */
export async function createAuthority(options: { now: number; name?: string }): Promise<Authority> {
  const keys = await ecKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: commonName(options.name ?? 'Poolwright authority'),
      serialNumber: newSerial(),
      ...period(options.now, lifetimes.authority),
      keys: keys.pair,
      signingAlgorithm: ecdsa,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.pair.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { certificate: pemOf(certificate), privateKey: keys.privateKey };
}

/**
 * A P-256 certificate and key for the broker or the API. `hosts` are names and IP addresses under which it
 * is reached, at least one. P-256 because a broker then takes three times the connects of an RSA-4096 key.
 */
export async function issueServerCertificate(options: {
  authority: Authority;
  hosts: readonly string[];
  now: number;
}): Promise<IssuedCertificate & { readonly privateKey: string }> {
  const [first] = options.hosts;
  if (first === undefined)
    throw new PoolwrightError('INVALID_ARGUMENT', 'A server certificate needs a host name.');
  const keys = await ecKeys();
  const names = options.hosts.map(
    (host) => ({ type: isIP(host) === 0 ? 'dns' : 'ip', value: host }) as const,
  );
  const issued = await issue(options.authority, {
    commonName: first.slice(0, 64),
    publicKey: new x509.PublicKey(keys.spki),
    ...period(options.now, lifetimes.server),
    purpose: x509.ExtendedKeyUsage.serverAuth,
    extensions: [new x509.SubjectAlternativeNameExtension(names)],
  });
  return { ...issued, privateKey: keys.privateKey };
}

/** A key and a certificate for a TLS client that is no pool, such as the control plane at a broker elsewhere. */
export async function issueClientCertificate(options: {
  authority: Authority;
  /** The common name, which tells servers who it is. */
  name: string;
  now: number;
}): Promise<IssuedCertificate & { readonly privateKey: string }> {
  const keys = await ecKeys();
  const issued = await issue(options.authority, {
    commonName: options.name,
    publicKey: new x509.PublicKey(keys.spki),
    ...period(options.now, lifetimes.server),
    purpose: x509.ExtendedKeyUsage.clientAuth,
    extensions: [],
  });
  return { ...issued, privateKey: keys.privateKey };
}

/**
 * The certificate of a pool: the key of the request, the pool's id as common name, for TLS clients only.
 * Nothing else of the request is taken over. Throws INVALID_CSR, or INVALID_ARGUMENT for a pool id that is no ULID.
 */
export async function issuePoolCertificate(options: {
  authority: Authority;
  /** PEM, as the user gave it. */
  csr: string;
  /** ULID. */
  pool: string;
  now: number;
}): Promise<IssuedCertificate & { readonly publicKey: string }> {
  if (!ulidSchema.safeParse(options.pool).success) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      `Expected the ULID of a pool, got ${JSON.stringify(options.pool)}.`,
    );
  }
  const { publicKey } = await readRequest(options.csr);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const issued = await issue(options.authority, {
    commonName: options.pool,
    publicKey: new x509.PublicKey(spki),
    ...period(options.now, lifetimes.pool),
    purpose: x509.ExtendedKeyUsage.clientAuth,
    extensions: [],
  });
  return { ...issued, publicKey: toPem('PUBLIC KEY', spki) };
}

interface Leaf {
  readonly commonName: string;
  readonly publicKey: x509.PublicKey;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly purpose: x509.ExtendedKeyUsageType;
  readonly extensions: readonly x509.Extension[];
}

async function issue(authority: Authority, leaf: Leaf): Promise<IssuedCertificate> {
  const issuer = await openAuthority(authority);
  // Whatever ends later than its issuer is refused by TLS libraries in ways that are hard to understand.
  const notAfter = new Date(Math.min(leaf.notAfter.getTime(), issuer.certificate.notAfter.getTime()));
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject: commonName(leaf.commonName),
      issuer: issuer.certificate.subjectName,
      serialNumber: newSerial(),
      notBefore: leaf.notBefore,
      notAfter,
      publicKey: leaf.publicKey,
      signingKey: issuer.key,
      signingAlgorithm: ecdsa,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([leaf.purpose]),
        await x509.SubjectKeyIdentifierExtension.create(leaf.publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey, false, webcrypto),
        ...leaf.extensions,
      ],
    },
    webcrypto,
  );
  return {
    certificate: pemOf(certificate),
    serial: certificate.serialNumber.toUpperCase(),
    notAfter: certificate.notAfter.getTime(),
  };
}

async function openAuthority(
  authority: Authority,
): Promise<{ certificate: x509.X509Certificate; key: webcrypto.CryptoKey }> {
  const code = 'DATA_DIR_UNUSABLE';
  const { der } = onlyBlock(authority.certificate, {
    code,
    what: "The authority's certificate",
    labels: ['CERTIFICATE'],
  });
  try {
    const key = await importSigning(createPrivateKey(authority.privateKey));
    return { certificate: new x509.X509Certificate(der), key };
  } catch (cause) {
    throw new PoolwrightError(code, `The authority's key or certificate is damaged: ${messageOf(cause)}.`, {
      cause,
    });
  }
}

async function ecKeys(): Promise<{ pair: webcrypto.CryptoKeyPair; spki: Buffer; privateKey: string }> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return {
    pair: {
      privateKey: await importSigning(privateKey),
      publicKey: await webcrypto.subtle.importKey('spki', spki, ecdsa, true, ['verify']),
    },
    spki,
    privateKey: toPem('PRIVATE KEY', privateKey.export({ type: 'pkcs8', format: 'der' })),
  };
}

function importSigning(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', pkcs8, ecdsa, false, ['sign']);
}

/** 127 random bits, so positive in DER and never equal; the broker recognises a certificate by it. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function commonName(name: string): x509.JsonName {
  return [{ CN: [name] }];
}

function period(now: number, lifetime: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - backdated), notAfter: new Date(now + lifetime) };
}

function pemOf(certificate: x509.X509Certificate): string {
  return toPem('CERTIFICATE', new Uint8Array(certificate.rawData));
}
