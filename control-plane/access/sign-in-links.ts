// One-time links that sign a browser in: shown in the terminal of whoever started the control plane.
import { hashSecret, randomSecret } from './secrets.js';
import type { Clock } from '../clock.js';

/** Milliseconds that an unused link counts. */
const validity = 15 * 60 * 1000;

export interface SignInLinks {
  /** A code for a link, good once for the given API key. */
  create(keyId: string): string;
  /** Answers the id of the API key and uses the code up; undefined for one that is unknown, used or too old. */
  redeem(code: string): string | undefined;
}

/** Codes live in memory: after a restart there are new ones. */
export function createSignInLinks(clock: Clock): SignInLinks {
  const codes = new Map<string, { keyId: string; until: number }>();
  return {
    create(keyId) {
      const now = clock.now();
      for (const [hash, { until }] of codes) if (until <= now) codes.delete(hash);
      const code = randomSecret();
      codes.set(hashSecret(code), { keyId, until: now + validity });
      return code;
    },
    redeem(code) {
      const hash = hashSecret(code);
      const entry = codes.get(hash);
      codes.delete(hash);
      return entry !== undefined && entry.until > clock.now() ? entry.keyId : undefined;
    },
  };
}
