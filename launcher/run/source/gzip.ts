// gzip in parts, each a member of its own (RFC 1952, 2.2): parts that would not get smaller, such as programs and modules
// that are packed already, are only wrapped, and several parts are worked on at the same time. Whatever reads gzip reads it.
import { Transform, type TransformCallback } from 'node:stream';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);

/** Bytes of a part, and of the beginning that is tried first. */
const sizes = { part: 1024 * 1024, sample: 16 * 1024 } as const;
/** A sample that keeps more than this of its size is not worth the time. */
const worthwhile = 0.95;
/** Parts at the same time: each holds its bytes in memory twice at most. */
const parallel = 4;

/** A stream that takes bytes, at least one, and gives gzip. */
export function gzipInParts(): Transform {
  let waiting: Buffer[] = [];
  let size = 0;
  /** Parts that are under way, in their order. */
  let parts: Promise<Buffer>[] = [];

  function begin(): void {
    if (size === 0) return;
    const part = packPart(Buffer.concat(waiting));
    // Heard of when its turn has come.
    part.catch(() => undefined);
    parts.push(part);
    waiting = [];
    size = 0;
  }

  async function give(stream: Transform, most: number): Promise<void> {
    while (parts.length > most) {
      const [first] = parts;
      if (first !== undefined) stream.push(await first);
      parts = parts.slice(1);
    }
  }

  function settle(work: Promise<void>, done: TransformCallback): void {
    work.then(
      () => {
        done();
      },
      (error: unknown) => {
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      waiting.push(chunk);
      size += chunk.length;
      if (size < sizes.part) {
        done();
        return;
      }
      begin();
      settle(give(this, parallel - 1), done);
    },
    flush(done) {
      begin();
      settle(give(this, 0), done);
    },
  });
}

async function packPart(bytes: Buffer): Promise<Buffer> {
  const sample = bytes.subarray(0, sizes.sample);
  const tried = await compress(sample, { level: 1 });
  // Level 1: there is a run to finish.
  return compress(bytes, { level: tried.length < sample.length * worthwhile ? 1 : 0 });
}
