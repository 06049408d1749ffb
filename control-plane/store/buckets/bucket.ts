// What is asked of a store for objects, whoever offers it: little enough for every cloud to serve.
import { Transform, type Readable } from 'node:stream';
import { PoolwrightError } from '../../../protocol/errors.js';

export interface StoredKey {
  readonly key: string;
  /** Unix milliseconds. */
  readonly modifiedAt: number;
}

export interface Bucket {
  /** Stores what comes, in parts that fit into memory. All of it is there afterwards, or nothing. */
  put(key: string, source: Readable): Promise<void>;
  /** Undefined when there is no such key. */
  get(key: string): Promise<{ readonly size: number; readonly stream: Readable } | undefined>;
  /** Nothing happens when there is no such key. */
  delete(key: string): Promise<void>;
  list(prefix: string): AsyncIterable<StoredKey>;
}

/** Bytes kept in memory of one part of an upload, and parts under way at once. */
export const upload = { part: 8 * 1024 * 1024, parallel: 2 } as const;

/** Passes bytes on and counts them. Fails with TOO_LARGE beyond `maximum`. */
export function bound(maximum: number): { readonly stream: Transform; size(): number } {
  let size = 0;
  const stream = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      size += chunk.byteLength;
      if (size > maximum)
        done(new PoolwrightError('TOO_LARGE', `Expected at most ${String(maximum)} bytes.`));
      else done(null, chunk);
    },
  });
  return { stream, size: () => size };
}

/** Who needs the clouds' libraries. */
export const needs = 'OBJECT_STORE_URL';

/** `a/b` → `a/b/`, nothing → nothing: what stands before every key. */
export function prefixOf(path: string): string {
  const trimmed = path.replace(/^\/+|\/+$/g, '');
  return trimmed === '' ? '' : `${trimmed}/`;
}
