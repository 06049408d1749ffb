// Sealed workspaces and archives, by id. What is stored is complete and durable, or it is not there.
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PoolwrightError } from '../../protocol/errors.js';
import { ulidSchema } from '../../protocol/topics.js';
import { bound } from './buckets/bucket.js';
import { entriesOf } from './entries.js';

export interface ObjectStore {
  /** Stores a stream whole. Throws TOO_LARGE beyond `maximum` bytes; nothing is kept then, nor when the source fails. */
  put(id: string, source: AsyncIterable<Uint8Array>, maximum: number): Promise<{ size: number }>;
  /** Throws NOT_FOUND. */
  get(id: string): Promise<{ size: number; stream: Readable }>;
  delete(id: string): Promise<void>;
  /** All that is stored; times in Unix milliseconds. What is being written is not among it. */
  list(): Promise<{ readonly id: string; readonly modifiedAt: number }[]>;
}

/** Objects as files below a folder, written beside, made durable and then renamed. */
export function createFileObjectStore(folder: string): ObjectStore {
  function pathOf(id: string): string {
    if (!ulidSchema.safeParse(id).success) throw notFound(id);
    return join(folder, id);
  }

  return {
    async put(id, source, maximum) {
      const path = pathOf(id);
      const unfinished = `${path}.part`;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const counted = bound(maximum);
      try {
        await pipeline(source, counted.stream, createWriteStream(unfinished, { mode: 0o600, flush: true }));
        await rename(unfinished, path);
        await syncFolder(folder);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
      return { size: counted.size() };
    },
    async get(id) {
      const path = pathOf(id);
      const { size } = await stat(path).catch((error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw notFound(id);
        throw error;
      });
      return { size, stream: createReadStream(path) };
    },
    async delete(id) {
      await rm(pathOf(id), { force: true });
    },
    async list() {
      return (await entriesOf(folder)).map(({ name, modifiedAt }) => ({ id: name, modifiedAt }));
    },
  };
}

/** A rename is durable only when the folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function notFound(id: string): PoolwrightError {
  return new PoolwrightError('NOT_FOUND', `There is no object ${id.slice(0, 26)}.`);
}
