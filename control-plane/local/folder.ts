// The data folder of `poolwright local`: private, writable, never part of a commit.
import { access, constants, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';

export interface LocalFolder {
  /** Absolute path. */
  readonly path: string;
  readonly keyFile: string;
  readonly requestFile: string;
  /** For the commands of this program: `--profile FILE`. */
  readonly profileFile: string;
  /** What launcher `number` keeps. */
  launcherFolder(number: number): string;
}

/** Makes the folder where it is missing. DATA_DIR_UNUSABLE with the reason when it cannot be written. */
export async function openFolder(directory: string): Promise<LocalFolder> {
  const path = resolve(directory);
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    await mkdir(join(path, 'local'), { recursive: true, mode: 0o700 });
    // Wherever the folder stands, its keys stay out of Git.
    await writeFile(join(path, '.gitignore'), '*\n');
  } catch (cause) {
    throw new PoolwrightError(
      'DATA_DIR_UNUSABLE',
      `The folder ${path} cannot be written (${messageOf(cause)}). Name another one with --data-dir.`,
      { cause },
    );
  }
  return {
    path,
    keyFile: join(path, 'local', 'pool.key'),
    requestFile: join(path, 'local', 'pool.csr'),
    profileFile: join(path, 'local', 'profile.json'),
    launcherFolder: (number) => join(path, 'local', `launcher-${String(number)}`),
  };
}
