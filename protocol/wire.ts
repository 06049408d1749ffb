// Bytes to checked values and back for everything that goes over the broker.
import type { z } from 'zod';
import { PoolwrightError } from './errors.js';
import { limits } from './limits.js';
import { upwardSchema, type UpwardMessage } from './lines.js';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads JSON of at most `limits.message` bytes. Throws INVALID_MESSAGE. */
export function parseJson(wire: Uint8Array | string, what: string): unknown {
  const size = typeof wire === 'string' ? Buffer.byteLength(wire) : wire.byteLength;
  if (size > limits.message) {
    throw invalid(what, `it has ${String(size)} bytes, at most ${String(limits.message)} are accepted`);
  }
  try {
    const value: unknown = JSON.parse(typeof wire === 'string' ? wire : utf8.decode(wire));
    return value;
  } catch {
    // The parser's own error quotes the input, which may hold a secret, and tells no more than this.
    throw invalid(what, 'it is not JSON in UTF-8');
  }
}

/** Checks a value against a schema. Throws INVALID_MESSAGE with the path of every fault. */
export function parseAs<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues
    .slice(0, 10)
    .map(({ path, message }) => `${path.map(String).join('.') || 'the whole'}: ${message}`);
  throw invalid(what, faults.join('; '));
}

/** Turns a message of the launcher into the bytes to publish. Throws INVALID_MESSAGE when it breaks the protocol. */
export function encodeUp(message: UpwardMessage): Buffer {
  const bytes = Buffer.from(JSON.stringify(parseAs(upwardSchema, message, 'A message to the control plane')));
  assertFits(bytes, 'A message to the control plane');
  return bytes;
}

/** Reads what a launcher published. Unknown fields are dropped. Throws INVALID_MESSAGE. */
export function decodeUp(wire: Uint8Array | string): UpwardMessage {
  return parseAs(upwardSchema, parseJson(wire, 'A message from a worker'), 'A message from a worker');
}

/** Throws INVALID_MESSAGE when the other side would refuse the bytes for their size. */
export function assertFits(bytes: Uint8Array, what: string): void {
  if (bytes.byteLength <= limits.message) return;
  throw invalid(
    what,
    `it would have ${String(bytes.byteLength)} bytes, at most ${String(limits.message)} are accepted`,
  );
}

function invalid(what: string, reason: string, cause?: unknown): PoolwrightError {
  return new PoolwrightError('INVALID_MESSAGE', `${what} does not follow the protocol: ${reason}.`, {
    cause,
  });
}
