// Whether there is room on the disk for a run, before it is taken.
import { statfs } from 'node:fs/promises';
import { PoolwrightError } from '../../protocol/errors.js';
import type { Executor } from '../executors/executor.js';
import type { Log } from '../log.js';

/** Bytes: below the first, images that the launcher pulled itself go; below the second, no run is taken. */
export const room = { wanted: 1024 ** 3, needed: 128 * 1024 ** 2 } as const;

/** Throws DISK_FULL. */
export async function makeRoom(
  folder: string,
  executor: Pick<Executor, 'makeRoom'>,
  log: Log,
  free: (folder: string) => Promise<number> = freeBytes,
): Promise<void> {
  const enough = async () => (await free(folder)) >= room.wanted;
  if (await enough()) return;
  const removed = await executor.makeRoom(enough);
  if (removed.length > 0) log.warn(`The disk is nearly full; removed images: ${removed.join(', ')}`);
  const left = await free(folder);
  if (left >= room.needed) return;
  throw new PoolwrightError(
    'DISK_FULL',
    `The worker has ${megabytes(left)} MB left for ${folder}, and takes no run with less than ` +
      `${megabytes(room.needed)} MB. Make room on its disk, or take a larger one.`,
  );
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function megabytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(0);
}
