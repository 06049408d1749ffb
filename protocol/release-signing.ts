// Releases are signed by an operator. The control plane hands them on and cannot make one: workers know the operator's
// public key by their own configuration.
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { PoolwrightError } from './errors.js';
import { releaseSchema, type LauncherRelease, type SignedRelease } from './launcher-release.js';
import { parseAs, parseJson } from './wire.js';

const what = 'The launcher release';

/** Throws INVALID_MESSAGE when it breaks the format. */
export function signRelease(release: LauncherRelease, key: KeyObject): SignedRelease {
  const payload = JSON.stringify(parseAs(releaseSchema, release, what));
  return { payload, signature: sign(null, Buffer.from(payload), key).toString('base64') };
}

/** The content, whoever signed it: for those who only hand it on. Throws INVALID_MESSAGE. */
export function readRelease({ payload }: Pick<SignedRelease, 'payload'>): LauncherRelease {
  return parseAs(releaseSchema, parseJson(Buffer.from(payload), what), what);
}

/** Signature first, content then. Throws RELEASE_REFUSED when none of the keys has signed it, INVALID_MESSAGE. */
export function verifyRelease(signed: SignedRelease, keys: readonly KeyObject[]): LauncherRelease {
  const bytes = Buffer.from(signed.payload);
  const signature = Buffer.from(signed.signature, 'base64');
  if (keys.some((key) => verify(null, bytes, key, signature))) return readRelease(signed);
  throw new PoolwrightError(
    'RELEASE_REFUSED',
    `${what} is not signed with a key that this launcher was configured with (POOLWRIGHT_UPDATE_KEY) and was refused.`,
  );
}

/**
 * Public keys, Ed25519, with commas between: each base64 of the DER form (SubjectPublicKeyInfo), which is what stands
 * between the lines of a PEM file. Throws INVALID_SETTINGS.
 */
export function readReleaseKeys(text: string): readonly KeyObject[] {
  const items = text.split(',').map((item) => item.trim());
  return items.filter((item) => item !== '').map(readReleaseKey);
}

function readReleaseKey(text: string): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below.
  }
  throw new PoolwrightError(
    'INVALID_SETTINGS',
    'expected public Ed25519 keys in base64 with commas between, as "poolwright launcher key" shows them',
  );
}

/** The form that readReleaseKeys takes, of either half. */
export function releaseKeyText(key: KeyObject): string {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return half.export({ type: 'spki', format: 'der' }).toString('base64');
}

/** Reads the private half (PEM). Throws INVALID_KEY. */
export function readSigningKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below, without the parser's words on what may be a secret.
  }
  throw new PoolwrightError(
    'INVALID_KEY',
    'The signing key cannot be used: expected an Ed25519 private key in PEM, as "poolwright launcher key" or ' +
      '"openssl genpkey -algorithm ed25519" make one.',
  );
}
