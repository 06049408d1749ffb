// Remembers which images launchers of this machine have pulled, so that these, and nobody else's, may go when the disk
// is full. One file for each, named by the image's hash; its time is when the image was used last.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { statusOf } from './docker-engine.js';

export interface PulledImages {
  add(image: string): Promise<void>;
  /** For an image that was there already, whoever brought it. */
  used(image: string): Promise<void>;
  /** Removes images, the longest unused first, until `enough`. Answers their names. What a container uses stays. */
  remove(docker: Docker, enough: () => Promise<boolean>): Promise<readonly string[]>;
}

/** `folder` is shared by the launchers of a state folder. `now` in Unix milliseconds. */
export function createPulledImages(folder: string, now: () => number): PulledImages {
  const fileOf = (image: string) => join(folder, createHash('sha256').update(image).digest('hex'));

  async function oldestFirst(): Promise<string[]> {
    const names = await readdir(folder).catch(() => []);
    const files = await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name);
        // Another launcher of the folder may just have removed it.
        return stat(path).then(
          ({ mtimeMs }) => [{ path, usedAt: mtimeMs }],
          () => [],
        );
      }),
    );
    return files
      .flat()
      .sort((a, b) => a.usedAt - b.usedAt)
      .map(({ path }) => path);
  }

  return {
    async add(image) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(fileOf(image), image);
    },
    async used(image) {
      const at = now() / 1000;
      // Not there: somebody else's image.
      await utimes(fileOf(image), at, at).catch(() => undefined);
    },
    async remove(docker, enough) {
      const removed: string[] = [];
      for (const path of await oldestFirst()) {
        if (await enough()) break;
        const image = await readFile(path, 'utf8').catch(() => undefined);
        if (image === undefined) continue;
        try {
          await docker.getImage(image).remove();
          removed.push(image);
        } catch (error) {
          // 409: a container uses it, and it is not old after all.
          if (statusOf(error) === 409) continue;
          if (statusOf(error) !== 404) throw error;
        }
        await rm(path, { force: true });
      }
      return removed;
    },
  };
}
