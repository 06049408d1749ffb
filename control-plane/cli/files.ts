// Files that a user names: read, or made anew.
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { UsageError } from './exit.js';

/** Writes a file that must not be there yet: a key that is overwritten takes its pool with it. */
export async function writeNew(file: string, text: string, mode: number): Promise<void> {
  try {
    await writeFile(file, text, { mode, flag: 'wx' });
    await chmod(file, mode);
  } catch (cause) {
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    throw new PoolwrightError(
      exists ? 'CONFLICT' : 'INVALID_ARGUMENT',
      exists
        ? `${file} is there already and is not overwritten: a pool may depend on it. Name another folder or --name.`
        : `${file} cannot be written: ${messageOf(cause)}.`,
      { cause },
    );
  }
}

export async function readInput(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new UsageError(`The ${what} ${file} cannot be read: ${messageOf(cause)}.`, { cause });
  }
}
