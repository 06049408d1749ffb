// Sealing for a pool: anyone with the public key can do it, only the holder of the private key can open it.
import { randomBytes, type KeyObject } from 'node:crypto';
import { Transform } from 'node:stream';
import { assertRsa } from '../keys.js';
import { associatedData, writeEnvelope } from './envelope.js';
import { capacity, sealSegment, sizes, streamBuffer, streamKey } from './segments.js';

interface Sealer {
  write(chunk: Uint8Array): void;
  end(): void;
}

/**
 * A stream that takes plaintext and gives sealed bytes, holding one segment (1 MiB) at a time.
 * `publicKey` is RSA of at least 2048 bits; `context` says what the data is for (contexts.ts) and must be
 * the same at opening. Throws INVALID_KEY or INVALID_ARGUMENT.
 */
export function sealStream(publicKey: KeyObject, context: string): Transform {
  const stream = new Transform({
    readableHighWaterMark: streamBuffer,
    writableHighWaterMark: streamBuffer,
    transform(chunk: Uint8Array, _encoding, done) {
      sealer.write(chunk);
      done();
    },
    flush(done) {
      sealer.end();
      done();
    },
  });
  const sealer = createSealer(publicKey, context, sizes.segment, (piece) => stream.push(piece));
  return stream;
}

/** Seals bytes that are at hand, such as a variable. Same rules as `sealStream`. */
export function sealBytes(plaintext: Uint8Array, publicKey: KeyObject, context: string): Buffer {
  const pieces: Buffer[] = [];
  const sealer = createSealer(publicKey, context, plaintext.byteLength, (piece) => pieces.push(piece));
  sealer.write(plaintext);
  sealer.end();
  return Buffer.concat(pieces);
}

// Random numbers are not an argument here: a nonce used twice gives the plaintext away.
function createSealer(
  publicKey: KeyObject,
  context: string,
  expectedSize: number,
  emit: (piece: Buffer) => void,
): Sealer {
  assertRsa(publicKey, 'INVALID_KEY', 'The key to seal for');
  const dataKey = randomBytes(sizes.key);
  const envelope = writeEnvelope(publicKey, dataKey);
  const salt = randomBytes(sizes.salt);
  const noncePrefix = randomBytes(sizes.noncePrefix);
  const stream = streamKey(dataKey, salt, noncePrefix, associatedData(envelope, context));
  dataKey.fill(0);

  const waiting = Buffer.allocUnsafeSlow(Math.min(expectedSize, capacity(1)));
  let filled = 0;
  let index = 0;

  function flush(last: boolean): void {
    if (index === 0) emit(Buffer.concat([envelope, Buffer.of(sizes.streamHeader), salt, noncePrefix]));
    for (const piece of sealSegment(stream, index, last, waiting.subarray(0, filled))) emit(piece);
    filled = 0;
    index += 1;
  }

  return {
    write(chunk) {
      let taken = 0;
      while (taken < chunk.byteLength) {
        // A full segment waits for the next byte: only then is it known not to be the last.
        if (filled === capacity(index)) flush(false);
        const part = chunk.subarray(taken, taken + capacity(index) - filled);
        waiting.set(part, filled);
        filled += part.byteLength;
        taken += part.byteLength;
      }
    },
    end() {
      flush(true);
    },
  };
}
