// What comes from the broker is not trusted: only what the control plane signed, for this worker, in this
// session, in time and for the first time is let through.
import type { KeyObject } from 'node:crypto';
import { PoolwrightError, type ErrorCode } from '../../protocol/errors.js';
import type { DownMessage } from '../../protocol/messages.js';
import type { ReplayGuard } from '../../protocol/replay.js';
import { verifyMessage } from '../../protocol/signing.js';
import type { Log } from '../log.js';

/** The message, or the code for which it was dropped. */
export type Reading = { readonly message: DownMessage } | { readonly dropped: ErrorCode };

/** Reads one message of the session that its worker's guard is in. A wrong one is logged with its code and dropped. */
export function readMessage(
  payload: Uint8Array,
  signingKey: KeyObject,
  guardOf: (message: DownMessage) => Pick<ReplayGuard, 'check'>,
  log: Log,
): Reading {
  try {
    const message = verifyMessage(payload, signingKey);
    guardOf(message).check(message);
    return { message };
  } catch (error) {
    if (!(error instanceof PoolwrightError)) throw error;
    log.warn(error.message, { code: error.code });
    return { dropped: error.code };
  }
}
