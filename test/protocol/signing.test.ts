// Signed messages: only what the control plane signed, exactly as it signed it, comes through.
import { sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limits } from '../../protocol/limits.js';
import { signedSchema, type Variable } from '../../protocol/messages.js';
import { createSigningKey, encodeDown, signMessage, verifyMessage } from '../../protocol/signing.js';
import { assignment, down, leave, registered, run } from './support/messages.js';
import { codeOf, refusal } from './support/refusals.js';

const { privateKey, publicKey } = createSigningKey();

describe('a signed message', () => {
  it('comes through unchanged, whichever type it has', () => {
    const stop = {
      ...down,
      type: 'stop',
      run,
      attempt: 1,
      kind: 'stop',
      reason: 'asked by a person',
    } as const;
    const drain = { ...down, type: 'drain', drained: true } as const;
    for (const message of [registered, assignment, stop, drain, leave]) {
      expect(verifyMessage(encodeDown(message, privateKey), publicKey)).toEqual(message);
    }
  });

  it('may carry fields of a later version, which are covered by the signature and dropped', () => {
    const later = { ...leave, colour: 'green' };
    expect(verifyMessage(JSON.stringify(signText(JSON.stringify(later))), publicKey)).toEqual(leave);
  });

  it('is refused when any byte of payload or signature is changed', () => {
    const wire = encodeDown(assignment, privateKey);
    fc.assert(
      fc.property(fc.nat(wire.length - 1), fc.integer({ min: 1, max: 255 }), (place, difference) => {
        const changed = Buffer.from(wire);
        changed[place] = (changed[place] ?? 0) ^ difference;
        const outcome = tryVerify(changed);
        // A change of the envelope's own text (a space, an escape) may leave both fields as they were.
        if (outcome === undefined) expect(sameFields(changed, wire)).toBe(true);
        else expect(['BAD_SIGNATURE', 'INVALID_MESSAGE']).toContain(outcome);
      }),
      { numRuns: 300 },
    );
  });

  it('is refused when another key signed it', () => {
    const other = createSigningKey();
    const { code, message } = refusal(() => verifyMessage(encodeDown(leave, other.privateKey), publicKey));
    expect(code).toBe('BAD_SIGNATURE');
    expect(message).toContain('token');
  });

  it('is refused when the signature is empty, cut, or that of another message', () => {
    const signed = signMessage(leave, privateKey);
    const other = signMessage(registered, privateKey);
    for (const signature of ['', signed.signature.slice(0, 40), other.signature, '!!!!']) {
      expect(tryVerify(JSON.stringify({ payload: signed.payload, signature }))).toBe('BAD_SIGNATURE');
    }
  });

  it('is judged by its signature before its content is looked at', () => {
    expect(tryVerify(JSON.stringify({ payload: 'no json', signature: 'AAAA' }))).toBe('BAD_SIGNATURE');
    expect(tryVerify(JSON.stringify(signText('no json')))).toBe('INVALID_MESSAGE');
  });

  it('is refused without an envelope', () => {
    expect(tryVerify(JSON.stringify(leave))).toBe('INVALID_MESSAGE');
  });

  it('has room for the most variables that a run may have, each sealed', () => {
    const many = { ...assignment, environment: variables(500, 'sealed', 900) };
    expect(encodeDown(many, privateKey).length).toBeLessThan(limits.message);
  });

  it('is never sent when it is larger than the bound', () => {
    const large = { ...assignment, environment: variables(20, 'plain', 64 * 1024) };
    const { code, message } = refusal(() => encodeDown(large, privateKey));
    expect(code).toBe('INVALID_MESSAGE');
    expect(message).toContain(String(limits.message));
  });
});

function variables(count: number, kind: 'plain' | 'sealed', length: number): Variable[] {
  const content = 'x'.repeat(length);
  const value = kind === 'plain' ? { kind, text: content } : { kind, data: content };
  return Array.from({ length: count }, (_, number) => ({ name: `NAME_${String(number)}`, value }));
}

function signText(payload: string): { payload: string; signature: string } {
  // Signs a text that signMessage would not produce, as a later version of the control plane may.
  return { payload, signature: sign(null, Buffer.from(payload), privateKey).toString('base64') };
}

function tryVerify(wire: Uint8Array | string): string | undefined {
  return codeOf(() => verifyMessage(wire, publicKey));
}

function sameFields(left: Buffer, right: Buffer): boolean {
  const [a, b] = [left, right].map((wire) => signedSchema.parse(JSON.parse(wire.toString())));
  return a?.payload === b?.payload && sameBytes(a?.signature, b?.signature);
}

function sameBytes(left = '', right = ''): boolean {
  // Base64 has spellings that mean the same bytes: spare bits of the last digit, padding left away.
  return Buffer.from(left, 'base64').equals(Buffer.from(right, 'base64'));
}
