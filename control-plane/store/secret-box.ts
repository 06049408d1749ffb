// The control plane's own secrets in the database of DATABASE_URL: sealed with a key that is not there.
import { createVault, type Vault } from '../access/vault.js';
import { PoolwrightError } from '../../protocol/errors.js';

export interface SecretBox {
  /** What is stored of a secret: sealed where there is a key, else as it is. */
  close(name: string, secret: string): string;
  /** The secret again, however it was stored. Throws DATABASE_UNUSABLE without the key that it was sealed with. */
  open(name: string, stored: string): string;
  /** Whether it is stored in clear although there is a key, or sealed with an earlier one. */
  isOverdue(name: string, stored: string): boolean;
}

/** No secret of ours begins with it. */
const mark = 'sealed:';

/**
 * `key`: at least 32 characters that nobody can guess; undefined: what is sealed cannot be opened. `previous`: the key
 * before it, which opens what was sealed then and seals nothing.
 */
export function createSecretBox(key: string | undefined, previous?: string): SecretBox {
  const vault = key === undefined ? undefined : createVault(key);
  const before = previous === undefined ? undefined : createVault(previous);
  const contextOf = (name: string) => `secret ${name}`;
  return {
    close: (name, secret) => (vault === undefined ? secret : `${mark}${vault.seal(contextOf(name), secret)}`),
    open(name, stored) {
      if (!stored.startsWith(mark)) return stored;
      if (vault === undefined)
        throw unusable('Start with the key that they were sealed with: SECRETS_KEY_FILE.');
      const sealed = stored.slice(mark.length);
      const opened = opens(vault, name, sealed) ?? (before && opens(before, name, sealed));
      if (opened !== undefined) return opened;
      throw unusable(
        before === undefined
          ? 'The key in SECRETS_KEY_FILE is not the one that they were sealed with. After a change of the key, name the one before it in SECRETS_KEY_PREVIOUS_FILE.'
          : 'Neither the key in SECRETS_KEY_FILE nor the one in SECRETS_KEY_PREVIOUS_FILE is the one that they were sealed with.',
      );
    },
    isOverdue: (name, stored) =>
      vault !== undefined &&
      !(stored.startsWith(mark) && opens(vault, name, stored.slice(mark.length)) !== undefined),
  };

  function opens(one: Vault, name: string, sealed: string): string | undefined {
    try {
      return one.open(contextOf(name), sealed);
    } catch {
      // Of another key.
      return undefined;
    }
  }
}

function unusable(what: string): PoolwrightError {
  return new PoolwrightError(
    'DATABASE_UNUSABLE',
    `The control plane's secrets in the database are sealed. ${what}`,
  );
}
