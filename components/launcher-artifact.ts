// The built launcher, as components hand it out: which file for which machine, its version and its hash.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { PoolwrightError } from '../protocol/errors.js';

export type Architecture = 'x86_64' | 'arm64';

export interface LauncherArtifact {
  /** Absolute path of the executable. */
  readonly path: string;
  /** Content hash of the launcher's bundle: the same on every cloud and architecture. */
  readonly version: string;
  /** SHA-256 of the executable, hexadecimal: what a boot script checks before it starts anything. */
  readonly sha256: string;
}

const names: Readonly<Record<Architecture, string>> = {
  x86_64: 'launcher-x86_64',
  arm64: 'launcher-aarch64',
};

/** Throws ARTEFACT_MISSING when it was not built. */
export async function launcherArtifact(
  architecture: Architecture,
  folder = distFolder(),
): Promise<LauncherArtifact> {
  const path = join(folder, names[architecture]);
  const versionFile = join(folder, 'launcher.version');
  if (!existsSync(path) || !existsSync(versionFile)) {
    throw new PoolwrightError(
      'ARTEFACT_MISSING',
      `The launcher for ${architecture} is not at ${path}. Build it with: npm run build`,
    );
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return { path, version: readFileSync(versionFile, 'utf8').trim(), sha256: hash.digest('hex') };
}

/** `dist/`, from the sources as from the build. */
function distFolder(): string {
  const own = dirname(fileURLToPath(import.meta.url));
  return own.endsWith(join('dist', 'components')) ? dirname(own) : join(dirname(own), 'dist');
}
