// Private keys: what users give works in every usual form, and a wrong one is refused with the reason.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  assertCertificateCurrent,
  assertKeyBelongs,
  keyFingerprint,
  loadPrivateKey,
  publicKeyOf,
} from '../../protocol/keys.js';
import { now, poolFixture, rsaPair, type PoolFixture } from './support/fixtures.js';
import { codeOf, refusal } from './support/refusals.js';

const pair = rsaPair();
let fixture: PoolFixture;

beforeAll(async () => {
  fixture = await poolFixture();
});

describe('a private key', () => {
  it('is read as PEM and as base64 of PEM, in both of its usual formats', () => {
    const key = createPrivateKey(pair.privateKey);
    const pkcs1 = key.export({ type: 'pkcs1', format: 'pem' }).toString();
    const wrapped = base64(pair.privateKey).replace(/.{76}/g, '$&\n');
    const texts = [pair.privateKey, pkcs1, base64(pair.privateKey), base64(pkcs1), wrapped];
    texts.push(base64(pair.privateKey.replaceAll('\n', '\r\n')), `\u{feff}notes\n${pair.privateKey}`);
    for (const text of texts) expect(loadPrivateKey(text).equals(key)).toBe(true);
  });

  it('is found beside its certificate', () => {
    expect(loadPrivateKey(fixture.token.certificate + pair.privateKey).type).toBe('private');
  });

  it.each([
    ['an elliptic key', () => other('ec'), 'is of type ec. Expected an RSA key'],
    ['an Ed25519 key', () => other('ed25519'), 'is of type ed25519'],
    ['a key for RSA-PSS alone', () => other('rsa-pss'), 'is of type rsa-pss'],
    ['a short key', () => rsaPair(1024).privateKey, '1024 bits. Expected 2048'],
    ['a key with a small exponent', () => other('rsa-3'), 'public exponent 3'],
    ['an encrypted key', () => encrypted('pkcs8'), 'protected by a passphrase'],
    ['an encrypted key of the older form', () => encrypted('pkcs1'), 'protected by a passphrase'],
    ['a public key', () => pair.publicKey, 'this is a public key'],
    ['a certificate', () => fixture.token.certificate, 'this is a certificate'],
    ['a certificate signing request', () => fixture.csr, 'this is a certificate signing request'],
    ['two keys', () => pair.privateKey + rsaPair().privateKey, 'is not one key but 2'],
    ['a key of OpenSSH', () => pair.privateKey.replaceAll('PRIVATE', 'OPENSSH PRIVATE'), 'ssh-keygen'],
    ['a key encoded twice', () => base64(base64(pair.privateKey)), 'encoded in base64 twice'],
    ['the token', () => base64(JSON.stringify(fixture.token)), 'SPACELIFT_TOKEN'],
    ['a key without its end', () => pair.privateKey.slice(0, 800), 'cut'],
    ['base64 of a key without its end', () => base64(pair.privateKey).slice(0, 800), 'cut'],
    ['a key whose parts do not fit together', () => mixed(), 'its parts do not fit together'],
    ['nothing', () => ' \n', 'is empty'],
    ['a word', () => 'secret!', 'neither PEM nor base64'],
    ['other base64', () => base64('secret'), 'not base64 of a whole PEM file'],
  ])('is refused as %s', (_, text, expected) => {
    const { code, message } = refusal(() => loadPrivateKey(text()));
    expect(code).toBe('INVALID_KEY');
    expect(message).toContain(expected);
  });

  it('is refused, and never shown, when bytes of it are changed', () => {
    const der = createPrivateKey(pair.privateKey).export({ type: 'pkcs8', format: 'der' });
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (place, difference) => {
        const changed = Buffer.from(der);
        changed[place] = (changed[place] ?? 0) ^ difference;
        const text = `-----BEGIN PRIVATE KEY-----\n${base64(changed)}\n-----END PRIVATE KEY-----\n`;
        // OpenSSL works around some damaged parts by using others, so a few changes do no harm.
        expect(['INVALID_KEY', undefined]).toContain(codeOf(() => loadPrivateKey(text)));
      }),
      { numRuns: 100 },
    );
  });

  it('is refused, never a crash, whatever the text is', () => {
    const anything = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.string().map((body) => `-----BEGIN X-----${body}`),
    );
    fc.assert(
      fc.property(anything, (text) => {
        expect(codeOf(() => loadPrivateKey(text))).toBe('INVALID_KEY');
      }),
    );
  });
});

describe('a key and its counterpart', () => {
  it('belong together as certificate, as public key and as key object', () => {
    const key = createPrivateKey(pair.privateKey);
    assertKeyBelongs(key, pair.publicKey);
    assertKeyBelongs(key, createPublicKey(pair.publicKey));
  });

  it('are told apart when the certificate is of another key', () => {
    const key = loadPrivateKey(pair.privateKey);
    const { code, message } = refusal(() => {
      assertKeyBelongs(key, fixture.token.certificate);
    });
    expect(code).toBe('KEY_MISMATCH');
    expect(message).toContain(keyFingerprint(key).toString('hex').slice(0, 16));
  });

  it('have the same fingerprint in every form', () => {
    const fingerprint = keyFingerprint(createPrivateKey(pair.privateKey));
    expect(fingerprint).toHaveLength(32);
    expect(keyFingerprint(publicKeyOf(pair.publicKey)).equals(fingerprint)).toBe(true);
  });
});

describe("a pool's certificate", () => {
  const day = 24 * 60 * 60 * 1000;
  const at = (time: number) =>
    codeOf(() => {
      assertCertificateCurrent(fixture.token.certificate, time);
    });

  it('counts from shortly before it was issued, for clocks that are behind', () => {
    expect(at(now - 2 * 60 * 60 * 1000)).toBe('CERTIFICATE_EXPIRED');
    expect(at(now - 30 * 60 * 1000)).toBeUndefined();
  });

  it('ends after ten years', () => {
    expect(at(now + 3649 * day)).toBeUndefined();
    expect(at(now + 3651 * day)).toBe('CERTIFICATE_EXPIRED');
  });

  it('says when it ended and what the clock shows', () => {
    const { message } = refusal(() => {
      assertCertificateCurrent(fixture.token.certificate, Date.UTC(2040, 0, 1));
    });
    expect(message).toContain('ended at 2036');
    expect(message).toContain('2040-01-01');
  });
});

function base64(text: string | Uint8Array): string {
  return Buffer.from(text).toString('base64');
}

function other(kind: 'ec' | 'ed25519' | 'rsa-pss' | 'rsa-3'): string {
  const generate = {
    ec: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    ed25519: () => generateKeyPairSync('ed25519'),
    'rsa-pss': () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
    'rsa-3': () => generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }),
  }[kind];
  return generate().privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The modulus of one key with the exponents of another. */
function mixed(): string {
  const { d, dp, dq } = createPrivateKey(rsaPair().privateKey).export({ format: 'jwk' });
  const own = createPrivateKey(pair.privateKey).export({ format: 'jwk' });
  const key = createPrivateKey({ key: { ...own, d: d!, dp: dp!, dq: dq! }, format: 'jwk' });
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function encrypted(type: 'pkcs1' | 'pkcs8'): string {
  const key = createPrivateKey(pair.privateKey);
  return key.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'passphrase' }).toString();
}
