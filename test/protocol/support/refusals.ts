// Reads the error code out of whatever a call throws.
import { PoolwrightError, type ErrorCode } from '../../../protocol/errors.js';

/** The error that the call throws; fails when it throws none, or something that is no PoolwrightError. */
export function refusal(call: () => unknown): PoolwrightError {
  try {
    call();
  } catch (error) {
    if (error instanceof PoolwrightError) return error;
    throw error;
  }
  throw new Error('Expected a refusal, but the call came through');
}

/** The same for a promise. */
export async function refusalOf(promise: Promise<unknown>): Promise<PoolwrightError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof PoolwrightError) return error;
    throw error;
  }
  throw new Error('Expected a refusal, but the promise was kept');
}

/** The code of the refusal, or undefined when the call came through. */
export function codeOf(call: () => unknown): ErrorCode | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof PoolwrightError) return error.code;
    throw error;
  }
}
