// Whether there is room on the disk for a run, before it is taken.
import { PoolwrightError } from '../../protocol/errors.js';
import type { Executor } from '../executors/executor.js';
import { freeBytes } from '../free-bytes.js';
import type { Log } from '../log.js';

/** Bytes: below the first, images that launchers pulled themselves go; below the second, no run is taken. */
export const room = { wanted: 1024 ** 3, needed: 128 * 1024 ** 2 } as const;

/** `folder`: the life's; what the executor fills counts, too. Throws DISK_FULL, ENGINE_UNAVAILABLE. */
export async function makeRoom(
  folder: string,
  executor: Pick<Executor, 'makeRoom' | 'stores'>,
  log: Log,
  free: (folder: string) => Promise<number> = freeBytes,
): Promise<void> {
  const stores = await executor.stores();
  // Images go for the room that they take; where their place cannot be seen it is thought to be this one.
  const ofImages = stores.length === 0 ? [folder] : stores;
  const enough = async () => Math.min(...(await Promise.all(ofImages.map(free)))) >= room.wanted;
  if (!(await enough())) {
    const removed = await executor.makeRoom(enough);
    if (removed.length > 0) log.warn(`The disk is nearly full; removed images: ${removed.join(', ')}`);
  }
  for (const place of [folder, ...stores]) {
    const left = await free(place);
    if (left >= room.needed) continue;
    throw new PoolwrightError(
      'DISK_FULL',
      `The worker has ${megabytes(left)} MB left for ${place}, and takes no run with less than ` +
        `${megabytes(room.needed)} MB. Make room on its disk, or take a larger one.`,
    );
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(0);
}
