import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formsOf, mask, maskersOf } from '../../../launcher/run/masks.js';

/** Masks a text that comes in pieces of the given lengths, in bytes. */
function masked(
  text: string,
  secrets: readonly string[],
  lengths: readonly number[] = [text.length * 4],
): string {
  const masker = maskersOf(formsOf(secrets))();
  const bytes = Buffer.from(text);
  let out = '';
  let at = 0;
  for (let index = 0; at < bytes.length; index += 1) {
    const length = Math.max(1, lengths[index % lengths.length] ?? 1);
    out += masker.write(bytes.subarray(at, at + length));
    at += length;
  }
  return out + masker.end();
}

describe('masks', () => {
  it('take every secret out of a text and nothing else', () => {
    expect(masked('user=root password=hunter2 hunter hunter2!', ['hunter2'])).toBe(
      `user=root password=${mask} hunter ${mask}!`,
    );
  });

  it('catch a secret that is cut by the border of two chunks, wherever it is cut', () => {
    const text = 'before s3cr3t-välue after';
    for (let cut = 1; cut < Buffer.byteLength(text); cut += 1) {
      expect(masked(text, ['s3cr3t-välue'], [cut, 1000])).toBe(`before ${mask} after`);
    }
  });

  it('hide the longer one of two secrets that begin alike', () => {
    for (const lengths of [[100], [1], [4], [5]]) {
      expect(masked('x abcdef y abc z', ['abc', 'abcdef'], lengths)).toBe(`x ${mask} y ${mask} z`);
    }
  });

  it('hide overlapping secrets as one', () => {
    for (const lengths of [[100], [1], [3]])
      expect(masked('-abcde-', ['abc', 'cde'], lengths)).toBe(`-${mask}-`);
  });

  it('hide the lines of a key that a program indents, and its form as JSON text', () => {
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n-----END KEY-----\n';
    expect(masked(`  ${key.replaceAll('\n', '\n  ')}`, [key])).not.toContain('MIIEvQ');
    expect(masked(JSON.stringify({ key }), [key])).not.toContain('MIIEvQ');
  });

  it.each([
    ['JSON as programs in Go write it', 'p\\u003cw\\u0026d\\u003e"1"'.replaceAll('"', '\\"')],
    ['JSON', JSON.stringify('p<w&d>"1"').slice(1, -1)],
  ])('hide a value in %s', (_what, written) => {
    expect(masked(`{"a":"${written}"}`, ['p<w&d>"1"'])).toBe(`{"a":"${mask}"}`);
  });

  it('hide a value in JSON of ASCII alone', () => {
    expect(masked('"gr\\u00fc\\u00dfe \\ud83d\\ude00"', ['grüße 😀'])).toBe(`"${mask}"`);
  });

  it('leave the blanks of a log when a value is nothing but blank', () => {
    expect(masked('a b\nc\td', ['', ' ', '\n', '\t', ' \n '])).toBe('a b\nc\td');
  });

  it('take what has a meaning in regular expressions for itself', () => {
    expect(masked('a.c abc $1 (x|y) x', ['a.c', '$1', '(x|y)'])).toBe(`${mask} abc ${mask} ${mask} x`);
  });

  it('hide a value of one character, wherever it stands', () => {
    expect(masked('axbx', ['x'], [1])).toBe(`a${mask}b${mask}`);
  });

  it('take a value of more lines than a call has arguments', () => {
    const lines = Array.from({ length: 200_000 }, (_, index) => `line-${String(index)}-of-it`);
    expect(masked('x line-199999-of-it y', [lines.join('\n')])).toBe(`x ${mask} y`);
  });

  it('find ten thousand values that begin alike in a megabyte without being slow', () => {
    const values = Array.from({ length: 10_000 }, (_, index) => `sk_live_${String(index).padStart(16, '0')}`);
    const line = `nothing here, and then ${values[7] ?? ''} and sk_live_nothing\n`;
    const text = line.repeat(Math.ceil(2 ** 20 / line.length));
    const makeMasker = maskersOf(formsOf(values));
    const start = performance.now();
    const masker = makeMasker();
    let out = '';
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += 32_768) out += masker.write(bytes.subarray(at, at + 32_768));
    out += masker.end();
    expect(out).toBe(text.replaceAll(values[7] ?? '', mask));
    // Some 0.1 s; a machine that is busy takes longer, a search that looks at each value for each byte minutes.
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('let text through at once when it cannot be the beginning of a secret', () => {
    const masker = maskersOf(formsOf(['token']))();
    expect(masker.write(Buffer.from('a line\nand a to'))).toBe('a line\nand a ');
    expect(masker.write(Buffer.from('ad\n'))).toBe('toad\n');
  });

  it('go on where another masker stopped, from what it had out', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'ä'), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(letters, { minLength: 1, maxLength: 4 }),
        fc.string({ unit: fc.constantFrom('a', 'b', 'ä', '\n', '😀'), maxLength: 60 }),
        fc.integer({ min: 0, max: 100 }),
        (secrets, text, cut) => {
          const make = maskersOf(formsOf(secrets));
          const bytes = Buffer.from(text);
          const first = make();
          const begun = first.write(bytes.subarray(0, cut));
          const { bytes: back, covered } = first.pending;
          const second = make(covered);
          const rest = second.write(bytes.subarray(Math.min(cut, bytes.length) - back)) + second.end();
          expect(begun + rest).toBe(masked(text, secrets));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('find every one of a thousand values', () => {
    const values = Array.from({ length: 1000 }, (_, index) => `value-${String(index * 7919)}-end`);
    const text = values.map((value) => `x ${value}\n`).join('');
    expect(masked(text, values, [4096])).toBe(`x ${mask}\n`.repeat(1000));
  });

  it('never let a secret out, however text and chunks fall', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'ä', '\n'), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(letters, { minLength: 1, maxLength: 4 }),
        fc.string({ unit: fc.constantFrom('a', 'b', 'ä', '\n', 'x'), maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
        (secrets, text, lengths) => {
          const inOne = masked(text, secrets);
          expect(masked(text, secrets, lengths)).toBe(inOne);
          const forms = formsOf(secrets);
          for (const part of inOne.split(mask)) for (const form of forms) expect(part).not.toContain(form);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
