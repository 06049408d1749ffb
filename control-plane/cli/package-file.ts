// Finds files of this package from wherever its code runs: the sources, or dist/ after a build.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
