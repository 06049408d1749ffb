// Seals what the control plane has to read again itself, such as secrets that signatures are made with: who reads the
// database, or a copy of it, reads none of it without the key, which is among the control plane's own secrets.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { PoolwrightError } from '../../protocol/errors.js';

export interface Vault {
  /** `context`: what the text is for; it opens for that alone. Answers text of letters, digits, `-`, `_` and dots. */
  seal(context: string, text: string): string;
  /** Throws SEALED_DAMAGED for what was altered, sealed for something else or with another key. */
  open(context: string, sealed: string): string;
}

const cipher = 'aes-256-gcm';
const version = 'v1';
const nonceBytes = 12;
const tagBytes = 16;

/** `secret`: 256 random bits as text. AES-256-GCM with a random nonce for each text and the context as associated data. */
export function createVault(secret: string): Vault {
  const key = new Uint8Array(hkdfSync('sha256', secret, '', 'poolwright vault', 32));
  return {
    seal(context, text) {
      const nonce = randomBytes(nonceBytes);
      const encryption = createCipheriv(cipher, key, nonce).setAAD(Buffer.from(context));
      const data = Buffer.concat([encryption.update(text, 'utf8'), encryption.final()]);
      return `${version}.${Buffer.concat([nonce, data, encryption.getAuthTag()]).toString('base64url')}`;
    },
    open(context, sealed) {
      const [found, encoded = ''] = sealed.split('.');
      const bytes = Buffer.from(encoded, 'base64url');
      try {
        if (found !== version) throw new Error(`sealed in the form ${String(found)}`);
        const nonce = bytes.subarray(0, nonceBytes);
        const decryption = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
        decryption.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-tagBytes));
        const data = bytes.subarray(nonceBytes, -tagBytes);
        return Buffer.concat([decryption.update(data), decryption.final()]).toString('utf8');
      } catch (cause) {
        throw new PoolwrightError(
          'SEALED_DAMAGED',
          `What is stored for the ${context} cannot be opened: it was altered, or the control plane has another key than the one it was sealed with. ` +
            'Start it with the key of that time, or make the thing anew.',
          { cause },
        );
      }
    },
  };
}
