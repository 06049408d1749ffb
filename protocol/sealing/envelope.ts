// What stands before the encrypted stream: for which key it is sealed, and the data key wrapped for it.
import { constants, createHash, privateDecrypt, publicEncrypt, type KeyObject } from 'node:crypto';
import { PoolwrightError } from '../errors.js';
import { keyFingerprint } from '../keys.js';
import { sizes } from './segments.js';

const magic = Buffer.from('PWS1');
const fingerprintSize = 32;

/** Bytes up to and including the length of the wrapped key: magic, fingerprint, unsigned 16-bit big-endian. */
export const envelopePrefix = magic.length + fingerprintSize + 2;

/** Longest context in bytes of UTF-8. */
export const maximumContext = 512;

/** Wraps a data key for the holder of a public key. */
export function writeEnvelope(publicKey: KeyObject, dataKey: Uint8Array): Buffer {
  const wrapped = publicEncrypt(oaep(publicKey), dataKey);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(wrapped.length);
  return Buffer.concat([magic, keyFingerprint(publicKey), length, wrapped]);
}

/**
 * Size of the whole envelope, told by its first `envelopePrefix` bytes. Throws SEALED_DAMAGED when this is
 * no sealed data, SEALED_FOR_OTHER_KEY when it is meant for another key.
 */
export function envelopeSize(prefix: Buffer, privateKey: KeyObject): number {
  if (!prefix.subarray(0, magic.length).equals(magic)) {
    throw damaged('it does not begin as sealed data does');
  }
  const meantFor = prefix.subarray(magic.length, magic.length + fingerprintSize);
  const own = keyFingerprint(privateKey);
  if (!meantFor.equals(own)) {
    throw new PoolwrightError(
      'SEALED_FOR_OTHER_KEY',
      `The data is sealed for the key ${short(meantFor)}, this worker has the key ${short(own)} ` +
        '(SHA-256 of the public key). Enter sealed variables anew, and trigger the run anew.',
    );
  }
  const length = prefix.readUInt16BE(magic.length + fingerprintSize);
  if (length * 8 !== privateKey.asymmetricKeyDetails?.modulusLength) {
    throw damaged('its wrapped key has the wrong length');
  }
  return envelopePrefix + length;
}

/** The data key out of a whole envelope. Throws SEALED_DAMAGED. */
export function unwrapDataKey(envelope: Buffer, privateKey: KeyObject): Buffer {
  let dataKey: Buffer;
  try {
    dataKey = privateDecrypt(oaep(privateKey), envelope.subarray(envelopePrefix));
  } catch (cause) {
    throw damaged('its data key cannot be unwrapped', cause);
  }
  if (dataKey.length !== sizes.key) throw damaged('its data key has the wrong length');
  return dataKey;
}

/** The associated data of the stream: SHA-256 of the envelope, then the context in UTF-8. */
export function associatedData(envelope: Buffer, context: string): Buffer {
  const words = Buffer.from(context);
  if (words.length === 0 || words.length > maximumContext) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      `Expected a sealing context of 1 to ${String(maximumContext)} bytes, got ${String(words.length)}.`,
    );
  }
  return Buffer.concat([createHash('sha256').update(envelope).digest(), words]);
}

/** The error for everything that cannot be opened though the key is right. */
export function damaged(reason: string, cause?: unknown): PoolwrightError {
  return new PoolwrightError(
    'SEALED_DAMAGED',
    `The sealed data cannot be opened: ${reason}. Nothing of it is used. Trigger the run anew, ` +
      'or enter the variable anew; if it happens again, look for who changes what is stored.',
    { cause },
  );
}

function oaep(key: KeyObject) {
  return { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const;
}

function short(fingerprint: Buffer): string {
  return fingerprint.toString('hex').slice(0, 16);
}
