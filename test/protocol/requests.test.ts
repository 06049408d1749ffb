// Certificate signing requests: ours and openssl's work, rubbish is refused with the reason.
import { createPrivateKey, KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { PoolwrightError, type ErrorCode } from '../../protocol/errors.js';
import { assertKeyBelongs, loadPrivateKey } from '../../protocol/keys.js';
import { generateKeyAndRequest, readRequest } from '../../protocol/requests.js';
import { poolFixture, request, rsaPair, rsaSha256 } from './support/fixtures.js';
import { guideKeyAndRequest, hasOpenssl, openssl, opensslFiles } from './support/openssl.js';
import { refusalOf } from './support/refusals.js';

let csr: string;

beforeAll(async () => {
  csr = await request(rsaSha256);
});

describe('a certificate signing request', () => {
  it('is made together with its RSA-4096 key', async () => {
    const made = await generateKeyAndRequest();
    const key = loadPrivateKey(made.privateKey);
    expect(key.asymmetricKeyDetails?.modulusLength).toBe(4096);
    assertKeyBelongs(key, (await readRequest(made.request)).publicKey);
  });

  it('is read with Windows line ends, a byte order mark, indentation and text around it', async () => {
    const variants = [
      csr.replaceAll('\n', '\r\n'),
      `\u{feff}${csr}`,
      csr.replaceAll('\n', '\n    '),
      `Certificate Request:\n    Data:\n        Version: 1 (0x0)\n${csr}\nthanks, Ann`,
      csr.replaceAll('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'),
      csr.replaceAll('\n', ' '),
      csr.replaceAll('\n', '\\n'),
    ];
    const { publicKey } = await readRequest(csr);
    for (const text of variants) expect((await readRequest(text)).publicKey.equals(publicKey)).toBe(true);
  });

  it('is refused when it is something else, which is named', async () => {
    const { privateKey, publicKey } = rsaPair();
    const { token } = await poolFixture();
    const cases: [string, string][] = [
      [privateKey, 'is a private key. Expected a certificate signing request'],
      [publicKey, 'is a public key'],
      [token.certificate, 'is a certificate.'],
      [csr + csr, 'holds 2 PEM blocks (a certificate signing request, a certificate signing request)'],
      [privateKey + csr, 'holds 2 PEM blocks (a private key, a certificate signing request)'],
      ['', 'no PEM block'],
      ['hello', 'no PEM block'],
      [csr.slice(0, 400), 'cut'],
      [csr.replace('MII', '###'), 'not base64'],
      [csr.replace('MII', 'AII'), 'cannot be parsed'],
      ['-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----', 'not base64'],
      [csr + ' '.repeat(70_000), '70'],
    ];
    for (const [text, expected] of cases) {
      const { code, message } = await refusalOf(readRequest(text));
      expect(code).toBe('INVALID_CSR');
      expect(message).toContain(expected);
    }
  });

  it('is refused for a key that is not RSA or too short', async () => {
    const cases: [string, string][] = [
      [await request({ name: 'ECDSA', namedCurve: 'P-256' }), 'of type ec. Expected an RSA key'],
      [await request({ name: 'Ed25519' }), 'of type ed25519'],
      [await request(rsaSha256, 1024), '1024 bits. Expected 2048 to 8192'],
    ];
    for (const [text, expected] of cases) {
      const { code, message } = await refusalOf(readRequest(text));
      expect(code).toBe('INVALID_CSR');
      expect(message).toContain(expected);
    }
  });

  it('is accepted with SHA-256 and better, and refused with SHA-1', async () => {
    for (const hash of ['SHA-256', 'SHA-384', 'SHA-512']) {
      await expect(readRequest(await request({ ...rsaSha256, hash }))).resolves.toBeDefined();
    }
    const { code, message } = await refusalOf(readRequest(await request({ ...rsaSha256, hash: 'SHA-1' })));
    expect(code).toBe('INVALID_CSR');
    expect(message).toContain('SHA-1');
  });

  it('never yields another key, and never a crash, when its bytes are changed', async () => {
    const { publicKey } = await readRequest(csr);
    const der = Buffer.from(csr.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
    await fc.assert(
      fc.asyncProperty(
        fc.nat(der.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (place, difference) => {
          const changed = Buffer.from(der);
          changed[place] = (changed[place] ?? 0) ^ difference;
          const outcome = await keyOrCode(pem(changed));
          // Some bytes of the wrapping carry nothing, such as a length that the reader does not need.
          if (outcome instanceof KeyObject) expect(outcome.equals(publicKey)).toBe(true);
          else expect(outcome).toBe('INVALID_CSR');
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe.skipIf(!hasOpenssl('certificate signing requests made by openssl'))(
  'a request made by openssl',
  () => {
    it("and its key work as the guide's command makes them", async () => {
      const made = guideKeyAndRequest();
      const key = loadPrivateKey(Buffer.from(made.key).toString('base64'));
      assertKeyBelongs(key, (await readRequest(made.csr)).publicKey);
    });

    it('is verified by openssl when we made it', async () => {
      const made = await generateKeyAndRequest();
      openssl(['req', '-in', 'pool.csr', '-verify', '-noout'], undefined, { 'pool.csr': made.request });
      openssl(['pkey', '-in', 'pool.key', '-check', '-noout'], undefined, { 'pool.key': made.privateKey });
    });

    it('is read with the text form before it and with names and extensions in it', async () => {
      const args = ['req', '-new', '-newkey', 'rsa:2048', '-nodes', '-text', '-keyout', 'k', '-out', 'r'];
      const more = ['-subj', '/C=DE/O=Größe/CN=x', '-utf8', '-addext', 'subjectAltName=DNS:broker'];
      const [text = '', key = ''] = opensslFiles([...args, ...more], ['r', 'k']);
      const { publicKey } = await readRequest(text);
      assertKeyBelongs(createPrivateKey(key), publicKey);
    });

    it.each([
      ['-md5', 'INVALID_CSR'],
      ['-sha1', 'INVALID_CSR'],
    ])('is refused when signed with %s', async (digest, code) => {
      const args = [
        'req',
        '-new',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-subj',
        '/CN=x',
        '-keyout',
        'k',
        '-out',
        'r',
      ];
      expect((await refusalOf(readRequest(openssl([...args, digest], 'r')))).code).toBe(code);
    });

    it('is read when signed with RSA-PSS', async () => {
      const args = [
        'req',
        '-new',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-subj',
        '/CN=x',
        '-keyout',
        'k',
        '-out',
        'r',
      ];
      const pss = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:32', '-sha256'];
      await expect(readRequest(openssl([...args, ...pss], 'r'))).resolves.toBeDefined();
    });
  },
);

async function keyOrCode(text: string): Promise<KeyObject | ErrorCode> {
  try {
    return (await readRequest(text)).publicKey;
  } catch (error) {
    if (error instanceof PoolwrightError) return error.code;
    throw error;
  }
}

function pem(der: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}
