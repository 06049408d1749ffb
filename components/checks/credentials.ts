// Checks of token and private key: that they are given, can be read, and belong together.
import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import { loadPrivateKey, assertKeyBelongs } from '../../protocol/keys.js';
import { decodeToken } from '../../protocol/token.js';
import { messageOf, PoolwrightError, type Fault } from '../../protocol/errors.js';
import type { Distribution } from '../bootstrap/settings.js';

/** Which of the three were given is known even where their values are not. */
export function checkCredentialsGiven(
  given: { readonly token: boolean; readonly privateKey: boolean; readonly credentials: boolean },
  faults: Fault[],
): void {
  if (given.credentials) {
    for (const name of ['token', 'privateKey'] as const) {
      if (given[name])
        faults.push({
          path: name,
          reason: 'is given beside credentials; give either the secret or its parts',
        });
    }
    return;
  }
  for (const name of ['token', 'privateKey'] as const) {
    if (!given[name])
      faults.push({ path: name, reason: 'is missing; give token and privateKey, or credentials' });
  }
}

/**
 * Faults of the pair; their messages never quote it. The bundled launcher reads the token as our control plane writes
 * it; other launchers have tokens of their own, of which only the broker's address and the certificate are known.
 */
export function checkCredentials(
  distribution: Distribution,
  pair: { readonly token: string; readonly privateKey: string },
  faults: Fault[],
): void {
  const collect = (path: string, read: () => void) => {
    try {
      read();
    } catch (error) {
      faults.push({ path, reason: messageOf(error) });
    }
  };
  let certificates: readonly string[] = [];
  collect('token', () => {
    certificates =
      distribution === 'bundled' ? [decodeToken(pair.token).certificate] : foreignCertificates(pair.token);
  });
  collect('privateKey', () => {
    const key = loadPrivateKey(encodedKey(pair.privateKey));
    const [first] = certificates;
    if (first !== undefined && !certificates.some((certificate) => belongs(key, certificate))) {
      assertKeyBelongs(key, first);
    }
  });
}

/** All certificates in a token of another control plane: its own and perhaps those of authorities. */
function foreignCertificates(token: string): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, 'base64').toString('utf8'));
  } catch {
    value = undefined;
  }
  if (!foreignToken.safeParse(value).success) {
    throw new PoolwrightError(
      'INVALID_TOKEN',
      'expected base64 of a JSON object with broker.endpoint. Copy the whole token as it was given when the pool was made',
    );
  }
  const found: string[] = [];
  const visit = (item: unknown): void => {
    if (typeof item === 'string') {
      for (const text of [item, Buffer.from(item, 'base64').toString('utf8')]) {
        if (text.trimStart().startsWith('-----BEGIN CERTIFICATE-----')) found.push(text);
      }
    } else if (item !== null && typeof item === 'object') Object.values(item).forEach(visit);
  };
  visit(value);
  return found;
}

const foreignToken = z.looseObject({ broker: z.looseObject({ endpoint: z.string().min(1) }) });

function belongs(key: KeyObject, certificate: string): boolean {
  try {
    assertKeyBelongs(key, certificate);
    return true;
  } catch {
    return false;
  }
}

/** The key as base64 on one line, as the launcher's variable has it. */
export function encodedKey(privateKey: string): string {
  const text = privateKey.trim();
  return text.startsWith('-----') ? Buffer.from(`${text}\n`).toString('base64') : text.replaceAll(/\s/g, '');
}
