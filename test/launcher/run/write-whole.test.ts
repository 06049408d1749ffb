// Files whose disk takes or gives less than it was asked for.
import { describe, expect, it } from 'vitest';
import { readWhole, writeWhole } from '../../../launcher/run/write-whole.js';

/** Takes so many bytes a call, for so many calls. */
function disk(perCall: number, calls = Infinity) {
  const content = Buffer.alloc(10);
  let left = calls;
  return {
    content,
    write(bytes: Uint8Array, offset: number, length: number, position: number) {
      left -= 1;
      const bytesWritten = left < 0 ? 0 : Math.min(perCall, length);
      content.set(bytes.subarray(offset, offset + bytesWritten), position);
      return Promise.resolve({ bytesWritten, buffer: bytes });
    },
    read(into: Uint8Array, offset: number, length: number, position: number) {
      const bytesRead = Math.min(perCall, length, content.length - position);
      into.set(content.subarray(position, position + bytesRead), offset);
      return Promise.resolve({ bytesRead, buffer: into });
    },
  };
}
type Written = Parameters<typeof writeWhole>[0];
type Read = Parameters<typeof readWhole>[0];

describe('a write', () => {
  it('goes on with what the disk did not take', async () => {
    const file = disk(3);
    await writeWhole(file as unknown as Written, Buffer.from('abcdefg'), 2);
    expect(file.content.toString('latin1', 2, 9)).toBe('abcdefg');
  });

  it('fails when the disk takes nothing more', async () => {
    await expect(writeWhole(disk(3, 2) as unknown as Written, Buffer.from('abcdefg'), 0)).rejects.toThrow(
      'takes nothing more',
    );
  });
});

describe('a read', () => {
  it('goes on with what the disk did not give', async () => {
    const file = disk(3);
    file.content.write('0123456789');
    expect((await readWhole(file as unknown as Read, 7, 2)).toString()).toBe('2345678');
  });

  it('fails when the file is shorter, and gives nothing that was not in it', async () => {
    await expect(readWhole(disk(3) as unknown as Read, 7, 5)).rejects.toThrow(
      'a file ends after 10 bytes; 12 were written',
    );
  });
});
