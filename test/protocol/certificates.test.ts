// What the authority issues, tried in real TLS: the broker and the pool know each other, and nobody else.
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createAuthority,
  issuePoolCertificate,
  issueServerCertificate,
} from '../../protocol/certificates.js';
import type { Authority } from '../../protocol/certificates.js';
import { assertKeyBelongs, loadPrivateKey } from '../../protocol/keys.js';
import { pool } from './support/messages.js';
import { keyAndRequest, request, rsaSha256 } from './support/fixtures.js';
import { hasOpenssl, openssl } from './support/openssl.js';
import { refusalOf } from './support/refusals.js';

const now = Date.now();
let authority: Authority;
let broker: { certificate: string; privateKey: string };
let client: { certificate: string; privateKey: string; serial: string };

beforeAll(async () => {
  authority = await createAuthority({ now });
  broker = await issueServerCertificate({ authority, hosts: ['localhost', '127.0.0.1', '::1'], now });
  client = await poolOf(authority);
});

describe('a pool certificate', () => {
  it('has the id of the pool as its only name, the key of the request, and is for clients', () => {
    const certificate = new X509Certificate(client.certificate);
    expect(certificate.subject).toBe(`CN=${pool}`);
    expect(certificate.ca).toBe(false);
    expect(certificate.subjectAltName).toBeUndefined();
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(certificate.serialNumber).toBe(client.serial);
    expect(certificate.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true);
    assertKeyBelongs(loadPrivateKey(client.privateKey), client.certificate);
  });

  it('has a serial of its own each time', async () => {
    const csr = await request(rsaSha256);
    const issue = () => issuePoolCertificate({ authority, csr, pool, now });
    const serials = new Set([(await issue()).serial, (await issue()).serial, (await issue()).serial]);
    expect(serials.size).toBe(3);
  });

  it('never outlives its authority', async () => {
    const old = await createAuthority({ now: now - 15 * 365 * 24 * 60 * 60 * 1000 });
    const issued = await issuePoolCertificate({ authority: old, csr: await request(rsaSha256), pool, now });
    expect(issued.notAfter).toBe(Date.parse(new X509Certificate(old.certificate).validTo));
  });

  it('is not issued for a name that is no pool id', async () => {
    const csr = await request(rsaSha256);
    const attempt = issuePoolCertificate({ authority, csr, pool: 'x/CN=other', now });
    expect((await refusalOf(attempt)).code).toBe('INVALID_ARGUMENT');
  });

  it('is not issued for rubbish', async () => {
    const attempt = issuePoolCertificate({ authority, csr: 'rubbish', pool, now });
    expect((await refusalOf(attempt)).code).toBe('INVALID_CSR');
  });
});

describe('mutual TLS', () => {
  let server: Server;
  let port: number;

  beforeAll(async () => {
    server = createServer({
      cert: broker.certificate,
      key: broker.privateKey,
      ca: [authority.certificate],
      requestCert: true,
      rejectUnauthorized: true,
    });
    server.on('secureConnection', (socket) => {
      const { subject, serialNumber } = socket.getPeerCertificate();
      socket.end(`${String(subject.CN)} ${serialNumber}`);
    });
    // A refused client is an event here, not a failure of the server.
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });

  afterAll(() => {
    server.close();
  });

  it('tells the broker which pool connects, with which certificate', async () => {
    expect(await greet(port, authority, client)).toBe(`${pool} ${client.serial}`);
  });

  it('refuses a certificate of another authority', async () => {
    const stranger = await poolOf(await createAuthority({ now }));
    await expect(greet(port, authority, stranger)).rejects.toThrow();
  });

  it('refuses a client without certificate', async () => {
    await expect(greet(port, authority, undefined)).rejects.toThrow();
  });

  it('refuses a broker that shows the certificate of a pool', async () => {
    const impostor = createServer({ cert: client.certificate, key: client.privateKey });
    impostor.on('tlsClientError', () => undefined);
    impostor.listen(0, '127.0.0.1');
    await once(impostor, 'listening');
    try {
      await expect(greet((impostor.address() as AddressInfo).port, authority, client)).rejects.toThrow();
    } finally {
      impostor.close();
    }
  });
});

describe.skipIf(!hasOpenssl('certificates checked by openssl'))('openssl', () => {
  it('accepts each certificate for its purpose and for no other', () => {
    const files = { ca: authority.certificate, server: broker.certificate, pool: client.certificate };
    const check = (purpose: string, file: string) => () =>
      openssl(['verify', '-x509_strict', '-CAfile', 'ca', '-purpose', purpose, file], undefined, files);
    expect(check('sslserver', 'server')).not.toThrow();
    expect(check('sslclient', 'pool')).not.toThrow();
    expect(check('sslclient', 'server')).toThrow();
    expect(check('sslserver', 'pool')).toThrow();
  });
});

async function poolOf(
  issuer: Authority,
): Promise<{ certificate: string; privateKey: string; serial: string }> {
  const { csr, privateKey } = await keyAndRequest(rsaSha256);
  return { ...(await issuePoolCertificate({ authority: issuer, csr, pool, now })), privateKey };
}

/** Connects as a launcher does and returns what the server says. */
async function greet(
  port: number,
  trusted: Authority,
  identity: { certificate: string; privateKey: string } | undefined,
): Promise<string> {
  const own = identity === undefined ? {} : { cert: identity.certificate, key: identity.privateKey };
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    servername: 'localhost',
    port,
    ca: [trusted.certificate],
    ...own,
  });
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of socket) chunks.push(chunk as Buffer);
  } finally {
    socket.destroy();
  }
  const text = Buffer.concat(chunks).toString();
  if (text === '') throw new Error('The server closed the connection without a word');
  return text;
}
