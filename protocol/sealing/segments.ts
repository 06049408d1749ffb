// One segment of the streaming AEAD AES256_GCM_HKDF_1MB, as the Tink library defines it.
// Source: https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

/** Bytes on the wire: of a whole segment, of the tag in each, of the parts of the stream's header. */
export const sizes = {
  segment: 1024 * 1024,
  tag: 16,
  key: 32,
  salt: 32,
  noncePrefix: 7,
  /** One byte that holds this number, salt, nonce prefix. It takes its room from the first segment. */
  streamHeader: 1 + 32 + 7,
} as const;

/**
 * AES writes and reads in steps of this many bytes. A result of 1 MiB in one piece is a fresh region from
 * the operating system each time, and its page faults cost more than the calls saved.
 */
const step = 64 * 1024;

/** How much the streams hold at their ends, in bytes: fewer, larger turns for the same memory order as a segment. */
export const streamBuffer = 256 * 1024;

const cipher = 'aes-256-gcm';

export interface StreamKey {
  readonly key: Buffer;
  readonly noncePrefix: Buffer;
}

/** The key of one stream: HKDF-SHA256 of the data key, with the salt and the associated data. */
export function streamKey(
  dataKey: Uint8Array,
  salt: Uint8Array,
  noncePrefix: Uint8Array,
  associatedData: Uint8Array,
): StreamKey {
  const key = Buffer.from(hkdfSync('sha256', dataKey, salt, associatedData, sizes.key));
  return { key, noncePrefix: Buffer.from(noncePrefix) };
}

/** Room for plaintext in a segment. */
export function capacity(index: number): number {
  return sizes.segment - sizes.tag - (index === 0 ? sizes.streamHeader : 0);
}

/** Encrypts one segment. The pieces are new memory; the plaintext's may be used again. */
export function sealSegment(stream: StreamKey, index: number, last: boolean, plaintext: Buffer): Buffer[] {
  const encryption = createCipheriv(cipher, stream.key, nonce(stream, index, last));
  const pieces: Buffer[] = [];
  const end = plaintext.length;
  for (let start = 0; start < end; start += step) {
    pieces.push(encryption.update(plaintext.subarray(start, Math.min(end, start + step))));
  }
  encryption.final();
  // The tag goes with the last piece: a piece of 16 bytes would be a write of its own.
  pieces.push(Buffer.concat([pieces.pop() ?? Buffer.alloc(0), encryption.getAuthTag()]));
  return pieces;
}

/** Decrypts one segment with its tag, or returns undefined when it is not what was sealed at this place. */
export function openSegment(
  stream: StreamKey,
  index: number,
  last: boolean,
  sealed: Buffer,
): Buffer[] | undefined {
  const end = sealed.length - sizes.tag;
  if (end < 0) return undefined;
  const decryption = createDecipheriv(cipher, stream.key, nonce(stream, index, last), {
    authTagLength: sizes.tag,
  });
  decryption.setAuthTag(sealed.subarray(end));
  const pieces: Buffer[] = [];
  for (let start = 0; start < end; start += step) {
    pieces.push(decryption.update(sealed.subarray(start, Math.min(end, start + step))));
  }
  try {
    decryption.final();
    return pieces;
  } catch {
    // The one reason to throw here is the tag. The pieces are dropped: nobody may see them.
    return undefined;
  }
}

/** Number and last-flag are in the nonce, so a segment opens at its own place only. */
function nonce({ noncePrefix }: StreamKey, index: number, last: boolean): Buffer {
  const bytes = Buffer.alloc(12);
  noncePrefix.copy(bytes);
  bytes.writeUInt32BE(index, sizes.noncePrefix);
  bytes[11] = last ? 1 : 0;
  return bytes;
}
