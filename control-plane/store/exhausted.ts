// What the control plane's surroundings have no more of: room on a disk, connections of the database. Whoever asks learns it,
// and may ask again; a launcher does so by itself.
import { PoolwrightError } from '../../protocol/errors.js';

const again = 'Nothing was changed, and what waits goes on by itself';

/** By code of PostgreSQL (Appendix A) or of the system. */
const causes: ReadonlyMap<unknown, string> = new Map([
  ['53100', `The disk of the control plane's database is full. ${again} once there is room.`],
  ['ENOSPC', `The disk that the control plane writes to is full. ${again} once there is room.`],
  ['53300', `The control plane's database has no connection left. ${again} once there is one.`],
]);

/** UNAVAILABLE that says what is missing; undefined for any other error. */
export function exhausted(error: unknown): PoolwrightError | undefined {
  const message = error instanceof Error && 'code' in error ? causes.get(error.code) : undefined;
  return message === undefined ? undefined : new PoolwrightError('UNAVAILABLE', message, { cause: error });
}
