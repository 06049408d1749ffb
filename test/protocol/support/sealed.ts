// Where the parts of sealed bytes are, so that a test can break a certain one.
import { generateKeyPairSync } from 'node:crypto';
import { sizes } from '../../../protocol/sealing/segments.js';

/** One pair for all sealing tests of a file. */
export const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const context = 'workspace/01HZ0000000000000000000R00';

/** Bytes before the first segment: magic, fingerprint, length, wrapped key, stream header. */
export const envelopeEnd = 4 + 32 + 2 + 256;
export const headerEnd = envelopeEnd + sizes.streamHeader;

/** Plaintext sizes at which something changes: nothing, and the ends of the first segments. */
export const firstSegment = sizes.segment - sizes.tag - sizes.streamHeader;
export const laterSegment = sizes.segment - sizes.tag;

/** The segments of sealed bytes, tags included. */
export function segmentsOf(sealed: Buffer): Buffer[] {
  const segments = [sealed.subarray(headerEnd, envelopeEnd + sizes.segment)];
  for (let start = envelopeEnd + sizes.segment; start < sealed.length; start += sizes.segment) {
    segments.push(sealed.subarray(start, start + sizes.segment));
  }
  return segments;
}

/** A copy with one byte changed. */
export function altered(sealed: Buffer, place: number, difference = 1): Buffer {
  const copy = Buffer.from(sealed);
  copy[place] = (copy[place] ?? 0) ^ difference;
  return copy;
}
