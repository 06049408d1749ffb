// What can go wrong with an attempt outside of the run's own commands, in words for people.
import { messageOf, PoolwrightError, type ErrorCode } from '../../protocol/errors.js';

/** Ends of this worker rather than of the run. */
const workerEnds: ReadonlySet<ErrorCode> = new Set(['LAUNCHER_STOPPED', 'MACHINE_TERMINATED']);
/** Faults of this worker rather than of the run: another worker may do better. */
const ownFaults: ReadonlySet<ErrorCode> = new Set(['ENGINE_UNAVAILABLE', 'DISK_FULL']);
/** Nobody asked for these ends, so the run has failed. */
const failures: ReadonlySet<ErrorCode> = new Set([
  'RUN_TIMED_OUT',
  'RUN_SILENT',
  'MACHINE_TERMINATED',
  'DISK_FULL',
]);

export function isOwnFault({ code }: PoolwrightError): boolean {
  return ownFaults.has(code);
}

/** Whether another worker should have a run that has not begun here. */
export function isForOthers(fault: PoolwrightError): boolean {
  return workerEnds.has(fault.code) || isOwnFault(fault);
}

/** `stop`: why it was ended from outside; undefined for a fault of its own. */
export function outcomeOf(stop: PoolwrightError | undefined): 'failed' | 'stopped' {
  return stop === undefined || failures.has(stop.code) ? 'failed' : 'stopped';
}

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
