// Sealed bytes open to what was sealed, for the one key and the one purpose, and not at all when touched.
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { archiveContext, variableContext, workspaceContext } from '../../../protocol/sealing/contexts.js';
import { openBytes } from '../../../protocol/sealing/open.js';
import { sealBytes } from '../../../protocol/sealing/seal.js';
import { sizes } from '../../../protocol/sealing/segments.js';
import { codeOf, refusal } from '../support/refusals.js';
import {
  altered,
  context,
  envelopeEnd,
  firstSegment,
  headerEnd,
  laterSegment,
  pair,
  segmentsOf,
} from '../support/sealed.js';

const seal = (plaintext: Uint8Array) => sealBytes(plaintext, pair.publicKey, context);
const open = (sealed: Uint8Array) => openBytes(sealed, pair.privateKey, context);
const outcome = (sealed: Uint8Array) => codeOf(() => open(sealed));

describe('sealed bytes', () => {
  it('open to what was sealed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), (plaintext) => {
        expect(open(seal(plaintext)).equals(plaintext)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('open to what was sealed at every border of a segment', () => {
    for (const border of [0, firstSegment, firstSegment + laterSegment]) {
      for (const size of [border - 1, border, border + 1].filter((each) => each >= 0)) {
        const plaintext = randomBytes(size);
        const sealed = seal(plaintext);
        const segments = Math.max(1, Math.ceil((size - firstSegment) / laterSegment) + 1);
        expect(sealed.length).toBe(headerEnd + size + segments * sizes.tag);
        expect(open(sealed).equals(plaintext)).toBe(true);
      }
    }
  });

  it('of another implementation open as well', () => {
    const vector = z
      .object({ context: z.string(), plaintext: z.string(), privateKey: z.string(), sealed: z.base64() })
      .parse(JSON.parse(readFileSync(new URL('vector.json', import.meta.url), 'utf8')));
    const key = createPrivateKey(vector.privateKey);
    const opened = openBytes(Buffer.from(vector.sealed, 'base64'), key, vector.context);
    expect(opened.toString()).toBe(vector.plaintext);
  });

  it('differ each time', () => {
    const plaintext = Buffer.from('the same');
    expect(seal(plaintext).equals(seal(plaintext))).toBe(false);
  });

  it('are refused when any byte is altered', () => {
    const sealed = seal(randomBytes(300));
    for (let place = 0; place < sealed.length; place += 1) {
      const expected = place >= 4 && place < 36 ? 'SEALED_FOR_OTHER_KEY' : 'SEALED_DAMAGED';
      expect(outcome(altered(sealed, place)), `byte ${String(place)}`).toBe(expected);
    }
  });

  it('are refused when they are cut or longer', () => {
    const sealed = seal(randomBytes(300));
    for (let end = 0; end < sealed.length; end += 1) {
      expect(outcome(sealed.subarray(0, end)), `cut to ${String(end)}`).toBe('SEALED_DAMAGED');
    }
    expect(outcome(Buffer.concat([sealed, Buffer.alloc(1)]))).toBe('SEALED_DAMAGED');
    expect(outcome(Buffer.concat([sealed, sealed]))).toBe('SEALED_DAMAGED');
  });

  it('are refused when segments are left out, doubled, exchanged or come from another', () => {
    const size = firstSegment + 2 * laterSegment + 500;
    const [sealed, other] = [seal(randomBytes(size)), seal(randomBytes(size))];
    const start = sealed.subarray(0, headerEnd);
    const segments = segmentsOf(sealed);
    expect(segments).toHaveLength(4);
    const [a, b, c, d] = segments as [Buffer, Buffer, Buffer, Buffer];
    const stranger = segmentsOf(other)[1]!;
    const wrong = { cut: [a, b, c], inner: [a, c, d], first: [b, c, d], exchanged: [a, c, b, d] };
    const more = { doubled: [a, b, b, c, d], early: [a, b, d], swapped: [a, stranger, c, d], none: [] };
    for (const [name, order] of Object.entries({ ...wrong, ...more })) {
      expect(outcome(Buffer.concat([start, ...order])), name).toBe('SEALED_DAMAGED');
    }
    expect(outcome(Buffer.concat([start, a, b, c, d]))).toBeUndefined();
  });

  it('are refused with the envelope or the stream header of another', () => {
    const [one, two] = [seal(randomBytes(100)), seal(randomBytes(100))];
    expect(outcome(Buffer.concat([one.subarray(0, envelopeEnd), two.subarray(envelopeEnd)]))).toBe(
      'SEALED_DAMAGED',
    );
    expect(outcome(Buffer.concat([one.subarray(0, headerEnd), two.subarray(headerEnd)]))).toBe(
      'SEALED_DAMAGED',
    );
  });

  it('are refused for another purpose', () => {
    const sealed = sealBytes(randomBytes(10), pair.publicKey, variableContext('stack', 'A'));
    for (const other of [variableContext('stack', 'B'), workspaceContext('stack'), archiveContext('A')]) {
      expect(codeOf(() => openBytes(sealed, pair.privateKey, other))).toBe('SEALED_DAMAGED');
    }
  });

  it('are refused for another key, with both fingerprints and what to do', () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const { code, message } = refusal(() => openBytes(seal(randomBytes(10)), other.privateKey, context));
    expect(code).toBe('SEALED_FOR_OTHER_KEY');
    expect(message).toMatch(/[0-9a-f]{16}.*[0-9a-f]{16}.*Enter sealed variables anew/);
  });

  it('are made and opened with keys of other sizes', () => {
    const large = generateKeyPairSync('rsa', { modulusLength: 3072 });
    const plaintext = randomBytes(100);
    const sealed = sealBytes(plaintext, large.publicKey, context);
    expect(
      openBytes(sealed, createPrivateKey(large.privateKey.export({ type: 'pkcs1', format: 'pem' })), context),
    ).toEqual(plaintext);
  });

  it('are not made for a key that is too short or of another kind', () => {
    const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    const elliptic = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
    for (const key of [short, elliptic]) {
      expect(codeOf(() => sealBytes(Buffer.of(1), key, context))).toBe('INVALID_KEY');
    }
  });

  it('need a purpose of bounded length', () => {
    for (const wrong of ['', 'ä'.repeat(257)]) {
      expect(codeOf(() => sealBytes(Buffer.of(1), pair.publicKey, wrong))).toBe('INVALID_ARGUMENT');
    }
    const longest = 'ä'.repeat(256);
    expect(openBytes(sealBytes(Buffer.of(1), pair.publicKey, longest), pair.privateKey, longest)).toEqual(
      Buffer.of(1),
    );
  });

  it('are refused, never a crash, whatever they are', () => {
    const start = seal(Buffer.of(1)).subarray(0, 38);
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 1_000 }),
      fc.uint8Array({ maxLength: 1_000 }).map((rest) => Buffer.concat([start, rest])),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        expect(outcome(bytes)).toBe('SEALED_DAMAGED');
      }),
    );
  });
});
