// Releases, as an operator makes them.
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { LauncherRelease, SignedRelease } from '../../../protocol/launcher-release.js';
import { signRelease } from '../../../protocol/release-signing.js';

export interface Operator {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export const createOperator = (): Operator => generateKeyPairSync('ed25519');

export interface Made {
  readonly release: LauncherRelease;
  readonly signed: SignedRelease;
  readonly bytes: Buffer;
}

/** A release of this text, for machines with the launcher `base`. */
export function makeRelease(
  { privateKey }: Operator,
  text: string,
  facts: Partial<LauncherRelease> = {},
): Made {
  const bytes = Buffer.from(text);
  const release: LauncherRelease = {
    v: 1,
    type: 'launcher-release',
    version: 'new',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    size: bytes.length,
    bases: ['base'],
    released: 1_000,
    ...facts,
  };
  return { release, signed: signRelease(release, privateKey), bytes };
}
