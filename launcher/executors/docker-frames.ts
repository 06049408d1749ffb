// The engine's way of putting several streams into one.

/** Takes the engine's frames apart: 8 bytes of header (stream, 0, 0, 0, length big-endian), then the bytes. */
export function createFrameReader(onBytes: (bytes: Uint8Array) => void): (chunk: Buffer) => void {
  const header = Buffer.alloc(8);
  let headerFilled = 0;
  let left = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (left > 0) {
        const part = chunk.subarray(at, at + left);
        left -= part.length;
        at += part.length;
        onBytes(part);
        continue;
      }
      const taken = chunk.copy(header, headerFilled, at, at + 8 - headerFilled);
      headerFilled += taken;
      at += taken;
      if (headerFilled === 8) {
        left = header.readUInt32BE(4);
        headerFilled = 0;
      }
    }
  };
}
