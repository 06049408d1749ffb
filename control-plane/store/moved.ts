// A data folder whose content went to a database: no control plane must start on it as if nothing had happened.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PoolwrightError } from '../../protocol/errors.js';

/** In the data folder while its content moves, and afterwards. */
export const movingFile = 'moving';
export const movedFile = 'moved';

/** Throws DATA_DIR_UNUSABLE for a folder whose content was moved, unless it starts `there`, or whose move is not complete. */
export function assertNotMoved(folder: string, there: boolean): void {
  if (!there && existsSync(join(folder, movedFile))) {
    throw new PoolwrightError(
      'DATA_DIR_UNUSABLE',
      `What was in ${folder} was moved to a database. Start with DATABASE_URL. ` +
        `To go back to the state of before the move instead, remove the file "${movedFile}" there.`,
    );
  }
  if (existsSync(join(folder, movingFile))) {
    throw new PoolwrightError(
      'DATA_DIR_UNUSABLE',
      `Moving the content of ${folder} to a database was interrupted. Run "poolwright migrate" again.`,
    );
  }
}
