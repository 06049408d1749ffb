// What can go wrong with an attempt outside of the run's own commands, in words for people.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';

/** What went wrong, with a code. */
export function asFault(error: unknown): PoolwrightError {
  if (error instanceof PoolwrightError) return error;
  if (isFull(error)) return diskFault(error, 'the state folder');
  return new PoolwrightError('INTERNAL', `The launcher failed: ${messageOf(error)}. Its own log says more.`, {
    cause: error,
  });
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

export function diskFault(error: unknown, where: string): PoolwrightError {
  return new PoolwrightError(
    'DISK_FULL',
    `The worker cannot write to ${where} (${messageOf(error)}). Make room on its disk, or take a larger one.`,
    { cause: error },
  );
}

export function wornOut(processes: number): PoolwrightError {
  return new PoolwrightError(
    'LAUNCHER_STOPPED',
    `The launcher was killed ${String(processes)} times while it prepared this run.`,
  );
}

export function isStale(error: unknown): boolean {
  return error instanceof PoolwrightError && error.code === 'STALE_ATTEMPT';
}

export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
