// The format is the published one: the Tink library and Python's cryptography open what we seal, and we what they seal.
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openBytes } from '../../../protocol/sealing/open.js';
import { sealBytes } from '../../../protocol/sealing/seal.js';
import { pythonWithTink, runPython } from '../support/python.js';
import { context, firstSegment, laterSegment, pair } from '../support/sealed.js';

const script = fileURLToPath(new URL('independent.py', import.meta.url));
const python = pythonWithTink('sealing against the Tink library');
const sizes = [0, 1, 1_000, firstSegment, firstSegment + 1, firstSegment + laterSegment + 7];

describe.skipIf(python === undefined)('the Tink library', () => {
  const run = (input: Record<string, string>) =>
    Buffer.from(runPython(python ?? '', script, input), 'base64');

  it.each(sizes)('opens %i bytes that we sealed', (size) => {
    const plaintext = randomBytes(size);
    const opened = run({
      mode: 'open',
      private_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      context,
      sealed: sealBytes(plaintext, pair.publicKey, context).toString('base64'),
    });
    expect(opened.equals(plaintext)).toBe(true);
  });

  it.each(sizes)('seals %i bytes that we open', (size) => {
    const plaintext = randomBytes(size);
    const sealed = run({
      mode: 'seal',
      public_key: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
      context,
      plaintext: plaintext.toString('base64'),
    });
    expect(openBytes(sealed, pair.privateKey, context).equals(plaintext)).toBe(true);
  });
});
