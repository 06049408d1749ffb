// The control plane's own secrets in the database of DATABASE_URL: sealed with a key that is not there.
import { createVault } from '../access/vault.js';
import { PoolwrightError } from '../../protocol/errors.js';

export interface SecretBox {
  /** What is stored of a secret: sealed where there is a key, else as it is. */
  close(name: string, secret: string): string;
  /** The secret again, however it was stored. Throws DATABASE_UNUSABLE without the key that it was sealed with. */
  open(name: string, stored: string): string;
  /** Whether it is stored in clear although there is a key. */
  isOverdue(stored: string): boolean;
}

/** No secret of ours begins with it. */
const mark = 'sealed:';

/** `key`: at least 32 characters that nobody can guess; undefined: what is sealed cannot be opened. */
export function createSecretBox(key: string | undefined): SecretBox {
  const vault = key === undefined ? undefined : createVault(key);
  const contextOf = (name: string) => `secret ${name}`;
  return {
    close: (name, secret) => (vault === undefined ? secret : `${mark}${vault.seal(contextOf(name), secret)}`),
    open(name, stored) {
      if (!stored.startsWith(mark)) return stored;
      if (vault === undefined)
        throw unusable('Start with the key that they were sealed with: SECRETS_KEY_FILE.');
      try {
        return vault.open(contextOf(name), stored.slice(mark.length));
      } catch (cause) {
        throw unusable('The key in SECRETS_KEY_FILE is not the one that they were sealed with.', cause);
      }
    },
    isOverdue: (stored) => vault !== undefined && !stored.startsWith(mark),
  };
}

function unusable(what: string, cause?: unknown): PoolwrightError {
  return new PoolwrightError(
    'DATABASE_UNUSABLE',
    `The control plane's secrets in the database are sealed. ${what}`,
    { cause },
  );
}
