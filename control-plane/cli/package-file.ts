// Finds files of this package from wherever its code runs: the sources, or dist/ after a build.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { PoolwrightError } from '../../protocol/errors.js';

function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const above = dirname(folder);
    if (above === folder)
      throw new PoolwrightError('ARTEFACT_MISSING', 'The package.json of Poolwright is not above its code.');
    folder = above;
  }
  return folder;
}

/** Absolute path of a file of the package, such as `package.json`. It need not exist. */
export function packageFile(...parts: readonly string[]): string {
  return join(packageFolder(), ...parts);
}

/** The version in package.json, which stands above both the sources and the built program. */
export function packageVersion(): string {
  return z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(packageFile('package.json'), 'utf8'))).version;
}
