// The built launcher, as components hand it out: which file for which machine, its version and its hash.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { PoolwrightError } from '../protocol/errors.js';

export type Architecture = 'x86_64' | 'arm64';

export interface LauncherArtifact {
  /** Absolute path of the executable, compressed with gzip. */
  readonly path: string;
  /** Content hash of the launcher's bundle: the same on every cloud and architecture. */
  readonly version: string;
  /** SHA-256 of the executable itself, hexadecimal: what a boot script checks before it starts anything. */
  readonly sha256: string;
  /** Whether it can enforce run initialization policies: launchers that were built without Go cannot. */
  readonly policyEngine: boolean;
}

/** As the machine itself names its architecture. */
const names: Readonly<Record<Architecture, 'x86_64' | 'aarch64'>> = { x86_64: 'x86_64', arm64: 'aarch64' };

const fileSchema = z.object({ file: z.string(), sha256: z.string() });
const listSchema = z.object({
  version: z.string(),
  policyEngine: z.boolean().default(false),
  files: z.object({ x86_64: fileSchema, aarch64: fileSchema }),
});

/** Throws ARTEFACT_MISSING when it was not built. The hash was taken when it was built: nothing is read but a list. */
export function launcherArtifact(architecture: Architecture, folder = distFolder()): LauncherArtifact {
  const list = join(folder, 'launchers.json');
  if (!existsSync(list)) throw missing(architecture, list);
  const { version, policyEngine, files } = listSchema.parse(JSON.parse(readFileSync(list, 'utf8')));
  const { file, sha256 } = files[names[architecture]];
  const path = join(folder, file);
  if (!existsSync(path)) throw missing(architecture, path);
  return { path, version, sha256, policyEngine };
}

function missing(architecture: Architecture, path: string): PoolwrightError {
  return new PoolwrightError(
    'ARTEFACT_MISSING',
    `The launcher for ${architecture} is not there: no ${path}. Build it with: npm run build`,
  );
}

/** `dist/`, from the sources as from the build. */
function distFolder(): string {
  const own = dirname(fileURLToPath(import.meta.url));
  return own.endsWith(join('dist', 'components')) ? dirname(own) : join(dirname(own), 'dist');
}
