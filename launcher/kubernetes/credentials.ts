// Token and key of a pool, from its Secrets: read, checked, and compared with what is in use.
import { createHash, type KeyObject } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { assertCertificateCurrent, assertKeyBelongs, loadPrivateKey } from '../../protocol/keys.js';
import { decodeToken, type PoolToken } from '../../protocol/token.js';
import { paths, type KubeApi } from './api.js';
import type { Secret } from './objects.js';

export interface PoolCredentials {
  readonly token: PoolToken;
  /** As the Secret has it. */
  readonly tokenText: string;
  readonly privateKey: KeyObject;
  /** For all connections of the pool, so that key and certificates are parsed once. */
  readonly secureContext: SecureContext;
  /** Tells credentials apart without holding them. */
  readonly fingerprint: string;
}

export interface SecretKey {
  readonly name: string;
  readonly key: string;
}

/** Throws NOT_FOUND that names Secret and key. */
export async function readSecretKey(
  api: KubeApi,
  namespace: string,
  { name, key }: SecretKey,
): Promise<string> {
  const secret = await api.get<Secret>(`${paths.secrets(namespace)}/${name}`);
  if (secret === undefined)
    throw new PoolwrightError('NOT_FOUND', `there is no Secret ${name} in the namespace ${namespace}`);
  const value = secret.data?.[key];
  if (value === undefined)
    throw new PoolwrightError(
      'NOT_FOUND',
      `the Secret ${name} in the namespace ${namespace} has no key ${key}`,
    );
  return Buffer.from(value, 'base64').toString('utf8').trim();
}

/** Throws INVALID_TOKEN, INVALID_KEY, KEY_MISMATCH, CERTIFICATE_EXPIRED. `now` in Unix milliseconds. */
export function credentialsOf(tokenText: string, keyText: string, now: number): PoolCredentials {
  const token = decodeToken(tokenText);
  const privateKey = loadPrivateKey(keyText);
  assertKeyBelongs(privateKey, token.certificate);
  assertCertificateCurrent(token.certificate, now);
  return {
    token,
    tokenText,
    privateKey,
    secureContext: createSecureContext({
      cert: token.certificate,
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      ca: [...token.authorities],
      minVersion: 'TLSv1.2',
    }),
    fingerprint: fingerprintOf(tokenText, keyText),
  };
}

export function fingerprintOf(tokenText: string, keyText: string): string {
  return createHash('sha256').update(tokenText).update('\0').update(keyText).digest('hex');
}

/** As the event on the pool says it. */
export function cannotRegister(error: unknown): string {
  return `Unable to register worker pool: cannot retrieve workerpool token: ${messageOf(error)}`;
}

/** The same of what was changed about a pool that is registered. */
export function cannotUpdate(error: unknown): string {
  return `Unable to update worker pool: the control plane has not taken space, description or drift detection limits: ${messageOf(error)}`;
}
