// What the control plane tells a worker is signed: whoever gets hold of a broker still cannot give orders.
import { generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { PoolwrightError } from './errors.js';
import { downMessageSchema, signedSchema, type DownMessage, type Signed } from './messages.js';
import { assertFits, parseAs, parseJson } from './wire.js';

const outgoing = 'A message to a worker';
const incoming = 'A message from the control plane';

/** A new Ed25519 pair for one control plane. The private half never leaves it; the public one is in every token. */
export function createSigningKey(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync('ed25519');
}

/**
 * Signs a message. The signature covers the UTF-8 bytes of the very text that is sent, so that neither
 * side depends on the order of fields. Throws INVALID_MESSAGE when the message breaks the protocol.
 */
export function signMessage(message: DownMessage, privateKey: KeyObject): Signed {
  const payload = JSON.stringify(parseAs(downMessageSchema, message, outgoing));
  return { payload, signature: sign(null, Buffer.from(payload), privateKey).toString('base64') };
}

/** Signs a message and makes the bytes to publish. Throws INVALID_MESSAGE, also when they are too many. */
export function encodeDown(message: DownMessage, privateKey: KeyObject): Buffer {
  const bytes = Buffer.from(JSON.stringify(signMessage(message, privateKey)));
  assertFits(bytes, outgoing);
  return bytes;
}

/**
 * Reads what came on the worker's topic: size, envelope, signature, and only then the content.
 * Says nothing on time, session and repetition: that is replay.ts.
 * Throws INVALID_MESSAGE or BAD_SIGNATURE.
 */
export function verifyMessage(wire: Uint8Array | string, publicKey: KeyObject): DownMessage {
  const signed = parseAs(signedSchema, parseJson(wire, incoming), incoming);
  const bytes = Buffer.from(signed.payload);
  if (!verify(null, bytes, publicKey, Buffer.from(signed.signature, 'base64'))) {
    throw new PoolwrightError(
      'BAD_SIGNATURE',
      `${incoming} is not signed with the key in the pool's token and was refused. ` +
        'If the control plane was set up anew, give the launcher a new token; otherwise someone else writes to the broker.',
    );
  }
  // The verified bytes are parsed, not the string: a lone surrogate in the string is another text than was signed.
  return parseAs(downMessageSchema, parseJson(bytes, incoming), incoming);
}
