// Another version of the built launcher, and what an operator does with it.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { publishRelease } from '../../../control-plane/cli/api/launcher-releases.js';
import type { LauncherRelease } from '../../../protocol/launcher-release.js';
import { signRelease } from '../../../protocol/release-signing.js';
import type { TestPlane } from '../../support/control-plane.js';
import type { Operator } from '../../launcher/update/support.js';

let last = 0;

export const deployedVersion = async () => (await readFile('dist/launcher.version', 'utf8')).trim();

/** The built launcher under another version, which is in its text a few times and nothing else. */
export async function otherVersion(version: string): Promise<Buffer> {
  const text = await readFile('dist/launcher.cjs', 'utf8');
  return Buffer.from(text.replaceAll(await deployedVersion(), version));
}

/** Signs and publishes it for workers to take at once. */
export async function release(
  plane: TestPlane,
  operator: Operator,
  bytes: Buffer,
  facts: Partial<LauncherRelease> & { readonly version: string },
): Promise<void> {
  last = Math.max(last + 1, Date.now());
  const signed = signRelease(
    {
      v: 1,
      type: 'launcher-release',
      sha256: createHash('sha256').update(bytes).digest('hex'),
      size: bytes.length,
      bases: [await deployedVersion()],
      released: last,
      ...facts,
    },
    operator.privateKey,
  );
  await publishRelease(plane.client, { ...signed, pool: plane.pool, within: 0 }, bytes);
}
