// All bytes or an error: one call of the system may take or give fewer than it was asked for, as when the disk is nearly full.
import type { FileHandle } from 'node:fs/promises';

export async function writeWhole(
  handle: Pick<FileHandle, 'write'>,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    // It would be tried for ever.
    if (bytesWritten === 0) throw new Error('the disk takes nothing more of a file and does not say why');
    done += bytesWritten;
  }
}

/** So many bytes from a position. Rejects when the file ends before them. */
export async function readWhole(
  handle: Pick<FileHandle, 'read'>,
  length: number,
  position: number,
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0)
      throw new Error(
        `a file ends after ${String(position + done)} bytes; ${String(position + length)} were written`,
      );
    done += bytesRead;
  }
  return bytes;
}
