// Writes all bytes or throws: one call of the system may write fewer than it was given, as when the disk is nearly full.
import type { FileHandle } from 'node:fs/promises';

export async function writeWhole(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
