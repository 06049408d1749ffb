// Messages of the launcher: what goes out comes in, everything else is refused.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../protocol/limits.js';
import { decodeUp, encodeUp } from '../../protocol/wire.js';
import { register, run, session } from './support/messages.js';
import { codeOf, refusal } from './support/refusals.js';

describe('a message to the control plane', () => {
  it('arrives as it was sent', () => {
    const heartbeat = {
      v: 1,
      session,
      at: 1,
      type: 'heartbeat',
      held: { run, attempt: 2, begun: true },
      leaving: true,
    } as const;
    const gone = { v: 1, session, at: 1, type: 'gone', orderly: false, reason: 'connection lost' } as const;
    for (const message of [register, heartbeat, gone]) expect(decodeUp(encodeUp(message))).toEqual(message);
  });

  it('may carry fields of a later version, which are dropped', () => {
    const wire = JSON.stringify({ ...register, colour: 'green' });
    expect(decodeUp(wire)).toEqual(register);
  });

  it('names every field that is wrong', () => {
    const wire = JSON.stringify({ ...register, session: 'short', executor: 'vm', leaving: undefined });
    const { code, message } = refusal(() => decodeUp(wire));
    expect(code).toBe('INVALID_MESSAGE');
    for (const field of ['session', 'executor', 'leaving']) expect(message).toContain(`${field}: `);
  });

  it('is refused when it is larger than the bound, before it is parsed', () => {
    const { code, message } = refusal(() => decodeUp(Buffer.alloc(limits.message + 1, '{')));
    expect(code).toBe('INVALID_MESSAGE');
    expect(message).toContain(String(limits.message));
  });

  it('holds metadata to its number of entries and their lengths', () => {
    const entries = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${String(n)}`, 'v']));
    const withMetadata = (metadata: Record<string, string>) => () => encodeUp({ ...register, metadata });
    expect(codeOf(withMetadata(entries(limits.metadataEntries)))).toBeUndefined();
    expect(codeOf(withMetadata(entries(limits.metadataEntries + 1)))).toBe('INVALID_MESSAGE');
    expect(codeOf(withMetadata({ k: 'v'.repeat(limits.metadataValue) }))).toBeUndefined();
    expect(codeOf(withMetadata({ k: 'v'.repeat(limits.metadataValue + 1) }))).toBe('INVALID_MESSAGE');
    expect(codeOf(withMetadata({ ['k'.repeat(limits.metadataKey + 1)]: 'v' }))).toBe('INVALID_MESSAGE');
  });

  it('is refused, never a crash, whatever the bytes are', () => {
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        expect(codeOf(() => decodeUp(bytes))).toBe('INVALID_MESSAGE');
      }),
    );
  });

  it('is refused when it is not UTF-8', () => {
    const bytes = encodeUp(register);
    bytes[bytes.indexOf('i-0123')] = 0xff;
    expect(codeOf(() => decodeUp(bytes))).toBe('INVALID_MESSAGE');
  });
});
