// Opening a sealed file whole or not at all.
import type { KeyObject } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createOpener, openStream } from './open.js';
import { sizes } from './segments.js';

/**
 * Reads the file to its end and authenticates all of it; only then gives a stream of its plaintext, which
 * is authenticated once more as it is read. So nothing of a file that was cut, reordered, exchanged or
 * altered is ever handed out. The file stays open in between: exchanging it by name has no effect.
 * Destroying the stream closes it. Throws SEALED_DAMAGED, SEALED_FOR_OTHER_KEY, or what reading throws.
 */
export async function verifyThenOpenFile(
  path: string,
  privateKey: KeyObject,
  context: string,
): Promise<Readable> {
  const handle = await open(path, 'r');
  try {
    await verify(handle, privateKey, context);
  } catch (error) {
    await handle.close();
    throw error;
  }
  const source = handle.createReadStream({ start: 0, highWaterMark: sizes.segment });
  return pipeline(source, openStream(privateKey, context), () => {
    // Both streams are destroyed by now, and the reader of the second one gets the error from it.
  });
}

async function verify(handle: FileHandle, privateKey: KeyObject, context: string): Promise<void> {
  const opener = createOpener(privateKey, context, sizes.segment, () => undefined);
  const buffer = Buffer.allocUnsafeSlow(sizes.segment);
  let position = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) break;
    opener.write(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  opener.end();
}
