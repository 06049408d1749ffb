// How much room a file system has for this user.
import { statfs } from 'node:fs/promises';

/** Of the file system that the folder is on. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
