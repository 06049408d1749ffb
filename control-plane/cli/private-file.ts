// Files that only their owner may read: tokens and keys.
import { chmod, writeFile } from 'node:fs/promises';
import { messageOf } from '../../protocol/errors.js';
import { UsageError } from './exit.js';

/** Writes the file with mode 0600. It is also narrowed when it was there before with a wider mode. */
export async function writePrivateFile(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, '', { mode: 0o600, flag: 'a' });
    await chmod(file, 0o600);
    await writeFile(file, text);
  } catch (cause) {
    throw new UsageError(`The file ${file} cannot be written: ${messageOf(cause)}.`, { cause });
  }
}
