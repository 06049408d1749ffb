// Objects by id in a bucket of any kind, below a prefix.
import { pipeline } from 'node:stream';
import { Readable } from 'node:stream';
import { PoolwrightError } from '../../protocol/errors.js';
import { ulidSchema } from '../../protocol/topics.js';
import { bound, type Bucket } from './buckets/bucket.js';
import type { ObjectStore } from './objects.js';

/** `prefix` ends with a slash or is empty. */
export function createBucketObjects(bucket: Bucket, prefix: string): ObjectStore {
  function keyOf(id: string): string {
    if (!ulidSchema.safeParse(id).success) throw notFound(id);
    return `${prefix}${id}`;
  }

  return {
    async put(id, source, maximum) {
      const key = keyOf(id);
      const counted = bound(maximum);
      // A fault of the source or of the bound ends the upload; whoever reads `counted` gets it.
      pipeline(Readable.from(source, { objectMode: false }), counted.stream, () => undefined);
      try {
        await bucket.put(key, counted.stream);
      } catch (error) {
        counted.stream.destroy();
        throw counted.stream.errored ?? error;
      }
      return { size: counted.size() };
    },
    async get(id) {
      const found = await bucket.get(keyOf(id));
      if (found === undefined) throw notFound(id);
      return found;
    },
    delete: async (id) => bucket.delete(keyOf(id)),
    async list() {
      const found = [];
      for await (const { key, modifiedAt } of bucket.list(prefix)) {
        const id = key.slice(prefix.length);
        if (ulidSchema.safeParse(id).success) found.push({ id, modifiedAt });
      }
      return found;
    },
  };
}

function notFound(id: string): PoolwrightError {
  return new PoolwrightError('NOT_FOUND', `There is no object ${id.slice(0, 26)}.`);
}
