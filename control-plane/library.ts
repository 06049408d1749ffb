// Loads a library that is only there when it was installed for what needs it: an optional peer of this package.
import { PoolwrightError } from '../protocol/errors.js';

/** `needs`: who needs it, as the subject of a sentence. Throws ARTEFACT_MISSING that names the package. */
export async function library<Module>(
  name: string,
  needs: string,
  load: () => Promise<Module>,
): Promise<Module> {
  try {
    return await load();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') {
      throw new PoolwrightError(
        'ARTEFACT_MISSING',
        `${needs} needs the package ${name}, which is not installed. Install it beside this one: npm install ${name}`,
        { cause: error },
      );
    }
    throw error;
  }
}
