// Whether the state folder can be written, also before it has been made.
import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, PoolwrightError } from '../protocol/errors.js';
import { ifThere } from './absent.js';

/** The folder itself, or that which is there and in which it would be made. Throws INVALID_SETTINGS. */
export async function writablePlace(folder: string): Promise<string> {
  return placeOf(folder).catch((error: unknown) => {
    const reason =
      `${folder} cannot be written by this user (${messageOf(error)}); give it to the launcher's, ` +
      'or name another one with POOLWRIGHT_STATE_DIR';
    throw new PoolwrightError('INVALID_SETTINGS', reason, {
      faults: [{ path: 'POOLWRIGHT_STATE_DIR', reason }],
    });
  });
}

async function placeOf(folder: string): Promise<string> {
  const there = await ifThere(stat(folder), undefined);
  if (there === undefined) return placeOf(dirname(folder));
  if (!there.isDirectory()) throw new Error('it is not a folder');
  await access(folder, constants.W_OK | constants.X_OK);
  return folder;
}
