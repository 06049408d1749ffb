// Private keys, their public halves and certificates, by node:crypto alone: the launcher's side.
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { PoolwrightError, type ErrorCode } from './errors.js';
import { article, onlyBlock, pemBlocks, type PemBlock } from './pem.js';

/** Bits of an RSA modulus that are accepted. The guide's command makes 4096. */
export const rsaBits = { least: 2048, most: 8192 } as const;

const what = 'The private key';

/**
 * Reads a pool's private key: PEM, or the base64 of PEM that `SPACELIFT_POOL_PRIVATE_KEY` holds.
 * Parsing costs more than using it: keep the result. Throws INVALID_KEY with the reason.
 */
export function loadPrivateKey(text: string): KeyObject {
  const block = privateKeyBlock(pemOf(text));
  const key = parsing('INVALID_KEY', what, () => createPrivateKey(block.pem));
  assertRsa(key, 'INVALID_KEY', what);
  // A key whose parts do not fit together parses well and fails much later, where nobody looks for it.
  if (!parsing('INVALID_KEY', what, () => fitsTogether(key))) {
    throw refused('is damaged: its parts do not fit together. Copy it anew');
  }
  return key;
}

/** As RFC 8017, section 3.2, has it. A signature to try would cost milliseconds, and this does not. */
function fitsTogether(key: KeyObject): boolean {
  const parts = key.export({ format: 'jwk' });
  const part = (name: 'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi') =>
    BigInt(`0x${Buffer.from(parts[name] ?? '', 'base64url').toString('hex')}`);
  const [p, q, d] = [part('p'), part('q'), part('d')];
  return (
    part('n') === p * q &&
    (d * part('e')) % (p - 1n) === 1n &&
    (d * part('e')) % (q - 1n) === 1n &&
    part('dp') === d % (p - 1n) &&
    part('dq') === d % (q - 1n) &&
    (part('qi') * q) % p === 1n
  );
}

/** Throws `code` unless the key is RSA with an accepted size and exponent. */
export function assertRsa(key: KeyObject, code: ErrorCode, subject: string): void {
  if (key.asymmetricKeyType !== 'rsa') {
    throw new PoolwrightError(
      code,
      `${subject} is of type ${String(key.asymmetricKeyType)}. Expected an RSA key: ${howToMakeOne}`,
    );
  }
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < rsaBits.least || modulusLength > rsaBits.most) {
    throw new PoolwrightError(
      code,
      `${subject} is an RSA key of ${String(modulusLength)} bits. ` +
        `Expected ${String(rsaBits.least)} to ${String(rsaBits.most)} bits: ${howToMakeOne}`,
    );
  }
  // The range of FIPS 186-5 at its low end; at the high one what keeps verification fast.
  if (publicExponent < 65_537n || publicExponent >= 2n ** 32n || publicExponent % 2n === 0n) {
    throw new PoolwrightError(
      code,
      `${subject} is an RSA key with the public exponent ${String(publicExponent)}. ` +
        `Expected 65537, or an odd number between that and 2^32: ${howToMakeOne}`,
    );
  }
}

/** SHA-256 of the public key as SubjectPublicKeyInfo in DER, 32 bytes: how sealed data names its recipient. */
export function keyFingerprint(key: KeyObject): Buffer {
  const spki = publicHalf(key).export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest();
}

/** The public key of a PEM certificate or a PEM public key. Throws INVALID_ARGUMENT. */
export function publicKeyOf(pem: string): KeyObject {
  const code = 'INVALID_ARGUMENT';
  const block = onlyBlock(pem, { code, what: 'The public key', labels: ['PUBLIC KEY', 'CERTIFICATE'] });
  return parsing(code, 'The public key', () => createPublicKey(block.pem));
}

/**
 * Throws KEY_MISMATCH unless the private key is the one of the certificate (PEM), of the public key (PEM)
 * or of the key object, such as that of a certificate signing request.
 */
export function assertKeyBelongs(privateKey: KeyObject, to: KeyObject | string): void {
  const expected = typeof to === 'string' ? publicKeyOf(to) : to;
  if (publicHalf(privateKey).equals(expected)) return;
  throw new PoolwrightError(
    'KEY_MISMATCH',
    'The private key does not belong to the certificate: the pool was made from the request of another key. ' +
      `The given key is ${short(privateKey)}, the expected one ${short(expected)} (SHA-256 of the public key). ` +
      'Give the key that was made with the request of this pool, or reset the pool with a request of this key.',
  );
}

/** Throws CERTIFICATE_EXPIRED when a PEM certificate is not valid at `now` (Unix milliseconds). */
export function assertCertificateCurrent(pem: string, now: number): void {
  const certificate = parsing('INVALID_ARGUMENT', 'The certificate', () => new X509Certificate(pem));
  const from = Date.parse(certificate.validFrom);
  const to = Date.parse(certificate.validTo);
  if (now >= from && now <= to) return;
  const reason =
    now < from
      ? `is not valid before ${iso(from)}. Set the clock of this machine right`
      : `ended at ${iso(to)}. Reset the pool to get a new token, or set the clock of this machine right`;
  throw new PoolwrightError('CERTIFICATE_EXPIRED', `The pool's certificate ${reason}; it shows ${iso(now)}.`);
}

const howToMakeOne =
  'make one with "poolwright keys new" or "openssl req -new -newkey rsa:4096 -nodes -keyout pool.key -out pool.csr".';

function pemOf(text: string): string {
  if (text.trim() === '') throw refused('is empty');
  if (text.includes('-----')) return text;
  const compact = text.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(compact)) throw refused('is neither PEM nor base64 of PEM');
  const decoded = Buffer.from(compact, 'base64').toString('latin1');
  if (decoded.trimStart().startsWith('{')) {
    throw refused('is JSON in base64, as the worker pool token is. The token belongs into SPACELIFT_TOKEN');
  }
  if (decoded.includes('-----')) return decoded;
  if (decoded.startsWith('LS0t')) throw refused('was encoded in base64 twice; encode it once');
  throw refused('is not base64 of a whole PEM file. Make it with: base64 -w 0 < pool.key');
}

function privateKeyBlock(text: string): PemBlock {
  const blocks = pemBlocks(text, 'INVALID_KEY', what);
  const keys = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'));
  const [key] = keys;
  if (key === undefined) {
    const [other] = blocks;
    throw refused(
      other === undefined ? 'holds no PEM block' : `cannot be used: this is ${article(other.label)}`,
    );
  }
  if (keys.length > 1) throw refused(`is not one key but ${String(keys.length)}`);
  if (key.encrypted) {
    throw refused(
      'is protected by a passphrase. Take that off with: openssl pkey -in pool.key -out plain.key',
    );
  }
  if (key.label === 'OPENSSH PRIVATE KEY') {
    throw refused('is in the format of OpenSSH. Convert it with: ssh-keygen -p -m PEM -f KEYFILE');
  }
  return key;
}

function publicHalf(key: KeyObject): KeyObject {
  return key.type === 'public' ? key : createPublicKey(key);
}

function parsing<Result>(code: ErrorCode, subject: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    throw new PoolwrightError(code, `${subject} is damaged: it cannot be parsed. Copy it anew.`, { cause });
  }
}

function refused(reason: string): PoolwrightError {
  return new PoolwrightError('INVALID_KEY', `${what} ${reason}.`);
}

function short(key: KeyObject): string {
  return keyFingerprint(key).toString('hex').slice(0, 16);
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
