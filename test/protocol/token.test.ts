// The token: one line of base64 that comes back as it was made, and says what is wrong with anything else.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeToken, encodeToken, type PoolToken } from '../../protocol/token.js';
import { poolFixture, rsaPair, type PoolFixture } from './support/fixtures.js';
import { codeOf, refusal } from './support/refusals.js';

let fixture: PoolFixture;
let token: PoolToken;
let encoded: string;

beforeAll(async () => {
  fixture = await poolFixture();
  token = fixture.token;
  encoded = encodeToken(token);
});

describe('a worker pool token', () => {
  it('is one line of base64 and comes back as it was made', () => {
    expect(encoded).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(decodeToken(encoded)).toEqual(token);
  });

  it('holds the broker where boot scripts look for it', () => {
    const object = JSON.parse(Buffer.from(encoded, 'base64').toString()) as { broker: { endpoint: string } };
    expect(object.broker.endpoint).toBe('ssl://broker.example.com:8883');
  });

  it('is read with line ends, spaces around it, or in the alphabet for URLs', () => {
    const wrapped = encoded.replace(/.{76}/g, '$&\r\n');
    for (const text of [wrapped, ` ${encoded}\n`, Buffer.from(encoded, 'base64').toString('base64url')]) {
      expect(decodeToken(text)).toEqual(token);
    }
  });

  it('may have fields of a later version', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (fields, more) => {
        const later = { ...fields, ...token, broker: { ...token.broker, more } };
        expect(decodeToken(pack(later))).toEqual(token);
      }),
    );
  });

  it('names every field that is missing', () => {
    fc.assert(
      fc.property(fc.subarray(Object.keys(token), { minLength: 1 }), (missing) => {
        const rest = Object.fromEntries(Object.entries(token).filter(([name]) => !missing.includes(name)));
        const { code, message } = refusal(() => decodeToken(pack(rest)));
        expect(code).toBe('INVALID_TOKEN');
        for (const name of missing) expect(message).toContain(`\n  ${name}: missing`);
      }),
    );
    expect(refusal(() => decodeToken(pack({ ...token, broker: {} }))).message).toContain(
      'broker.endpoint: missing',
    );
  });

  it('says what was given in its place', () => {
    const { privateKey, publicKey } = rsaPair();
    const cases: [string, string][] = [
      [privateKey, 'SPACELIFT_POOL_PRIVATE_KEY'],
      [Buffer.from(privateKey).toString('base64'), 'SPACELIFT_POOL_PRIVATE_KEY'],
      [publicKey, 'a public key'],
      [fixture.csr, 'a certificate signing request'],
      [Buffer.from(fixture.csr).toString('base64'), 'a certificate signing request'],
      [token.certificate, 'a certificate'],
      ['', 'empty'],
      [JSON.stringify(token), 'JSON'],
      ['not a token!', 'not base64'],
      [encoded.slice(0, 500), 'cut'],
    ];
    for (const [text, expected] of cases) {
      const { code, message } = refusal(() => decodeToken(text));
      expect(code).toBe('INVALID_TOKEN');
      expect(message).toContain(expected);
    }
  });

  it('never shows what was pasted by mistake', () => {
    const { privateKey } = rsaPair();
    const body = privateKey.split('\n')[1] ?? '';
    for (const text of [
      privateKey,
      Buffer.from(privateKey).toString('base64'),
      pack({ ...token, certificate: privateKey }),
      pack(privateKey),
    ]) {
      const error = refusal(() => decodeToken(text));
      expect(`${error.message} ${String(error.cause)}`).not.toContain(body.slice(0, 12));
    }
  });

  it('is refused with the place of every value that cannot be used', () => {
    const { publicKey } = rsaPair();
    const wrong = {
      v: 2,
      pool: 'my-pool',
      broker: { endpoint: 'tcp://broker:1883' },
      certificate: publicKey,
      authorities: [token.certificate, token.certificate.replace('MI', 'AA')],
      signingKey: publicKey,
    };
    const { message } = refusal(() => decodeToken(pack(wrong)));
    expect(message).toContain('6 faults');
    for (const path of ['v', 'pool', 'broker.endpoint', 'certificate', 'authorities.1', 'signingKey']) {
      expect(message).toContain(`\n  ${path}: `);
    }
    expect(message).toContain('expected an Ed25519 key, got rsa');
  });

  it('is refused, never a crash, whatever the text is', () => {
    const anything = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.base64String({ maxLength: 200 }),
      fc.jsonValue().map(pack),
    );
    fc.assert(
      fc.property(anything, (text) => {
        expect(codeOf(() => decodeToken(text))).toBe('INVALID_TOKEN');
      }),
    );
  });

  it('is refused or unchanged in meaning when characters of it are exchanged', () => {
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.constantFrom('A', 'z', '/', '-'), (place, digit) => {
        const changed = encoded.slice(0, place) + digit + encoded.slice(place + 1);
        expect(['INVALID_TOKEN', undefined]).toContain(codeOf(() => decodeToken(changed)));
      }),
    );
  });
});

function pack(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64');
}
