// Opening what was sealed for a private key. Bytes that are not authenticated are never handed out.
import type { KeyObject } from 'node:crypto';
import { Transform } from 'node:stream';
import { associatedData, damaged, envelopePrefix, envelopeSize, unwrapDataKey } from './envelope.js';
import { openSegment, sizes, streamBuffer, streamKey, type StreamKey } from './segments.js';

export interface Opener {
  /** Takes sealed bytes. Throws SEALED_DAMAGED or SEALED_FOR_OTHER_KEY. */
  write(chunk: Uint8Array): void;
  /** Says that there are no more. Throws SEALED_DAMAGED when the data was cut. */
  end(): void;
}

/**
 * A stream that takes sealed bytes and gives plaintext, each segment (1 MiB) once it is authenticated.
 * That the data was cut shows at its end, after the segments before were given out: where that matters,
 * use `verifyThenOpenFile`. Errors: SEALED_DAMAGED, SEALED_FOR_OTHER_KEY.
 */
export function openStream(privateKey: KeyObject, context: string): Transform {
  const stream = new Transform({
    readableHighWaterMark: streamBuffer,
    writableHighWaterMark: streamBuffer,
    transform(chunk: Uint8Array, _encoding, done) {
      done(
        failureOf(() => {
          opener.write(chunk);
        }),
      );
    },
    flush(done) {
      done(
        failureOf(() => {
          opener.end();
        }),
      );
    },
  });
  const opener = createOpener(privateKey, context, sizes.segment, (piece) => stream.push(piece));
  return stream;
}

/** Opens sealed bytes that are at hand, whole or not at all. Throws SEALED_DAMAGED or SEALED_FOR_OTHER_KEY. */
export function openBytes(sealed: Uint8Array, privateKey: KeyObject, context: string): Buffer {
  const pieces: Buffer[] = [];
  const opener = createOpener(privateKey, context, sealed.byteLength, (piece) => pieces.push(piece));
  opener.write(sealed);
  opener.end();
  return Buffer.concat(pieces);
}

/** What the streams are made of: `emit` gets pieces of plaintext, `expectedSize` saves memory for small data. */
export function createOpener(
  privateKey: KeyObject,
  context: string,
  expectedSize: number,
  emit: (piece: Buffer) => void,
): Opener {
  // The envelope is collected here first, then the stream's header, then one segment after the other.
  const waiting = Buffer.allocUnsafeSlow(
    Math.max(Math.min(expectedSize, sizes.segment), largestEnvelope(privateKey)),
  );
  let filled = 0;
  let index = 0;
  let wanted = envelopePrefix;
  let stage: 'prefix' | 'envelope' | 'header' | 'segments' = 'prefix';
  let envelope = Buffer.alloc(0);
  let stream: StreamKey | undefined;

  /** Called when `wanted` bytes are there and more follow, so never with the last segment. */
  function advance(): void {
    const bytes = waiting.subarray(0, filled);
    if (stage === 'prefix') {
      wanted = envelopeSize(bytes, privateKey);
      stage = 'envelope';
    } else if (stage === 'envelope') {
      envelope = Buffer.from(bytes);
      next('header', sizes.streamHeader);
    } else if (stage === 'header') {
      stream = readHeader(bytes);
      // The header is the beginning of the first segment, which is shorter by it.
      next('segments', sizes.segment - sizes.streamHeader);
    } else {
      give(false);
      next('segments', sizes.segment);
    }
  }

  function next(following: typeof stage, bytes: number): void {
    stage = following;
    wanted = bytes;
    filled = 0;
  }

  function readHeader(bytes: Buffer): StreamKey {
    if (bytes[0] !== sizes.streamHeader) throw damaged('the header of its stream has the wrong length');
    const dataKey = unwrapDataKey(envelope, privateKey);
    const salt = bytes.subarray(1, 1 + sizes.salt);
    const noncePrefix = bytes.subarray(1 + sizes.salt);
    return streamKey(dataKey, salt, noncePrefix, associatedData(envelope, context));
  }

  function give(last: boolean): void {
    const pieces =
      stream === undefined ? undefined : openSegment(stream, index, last, waiting.subarray(0, filled));
    if (pieces === undefined) {
      throw damaged(
        `part ${String(index + 1)} was cut, altered or is not at its place, or all is for another use`,
      );
    }
    for (const piece of pieces) emit(piece);
    index += 1;
  }

  return {
    write(chunk) {
      let taken = 0;
      while (taken < chunk.byteLength) {
        if (filled === wanted) advance();
        const part = chunk.subarray(taken, taken + wanted - filled);
        waiting.set(part, filled);
        filled += part.byteLength;
        taken += part.byteLength;
      }
    },
    end() {
      if (stage !== 'segments') throw damaged('it was cut before its content begins');
      give(true);
    },
  };
}

function largestEnvelope(privateKey: KeyObject): number {
  return envelopePrefix + (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
}

function failureOf(work: () => void): Error | null {
  try {
    work();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
