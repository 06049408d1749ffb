// The folder of an attempt: made when it is accepted, found by the next launcher process while it is not over, and
// removed when it is.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyObject } from 'node:crypto';
import { messageOf } from '../../protocol/errors.js';
import type { Assignment } from '../../protocol/messages.js';
import type { Log } from '../log.js';
import { dropAssignment, keepAssignment, openRecord, type AttemptRecord } from './record.js';

/** Where an attempt keeps what is its own, below the folder of the launcher's life. */
export function attemptFolder(life: string, { run, attempt }: Pick<Assignment, 'run' | 'attempt'>): string {
  return join(life, `${run}.${String(attempt)}`);
}

/** From now on the attempt can be found again. */
export async function makeAttemptFolder(
  folder: string,
  assignment: Assignment,
  privateKey: KeyObject,
): Promise<AttemptRecord> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await keepAssignment(folder, assignment, privateKey);
  return openRecord(folder);
}

/** `sweep` ends what may still run of the attempt; while it fails, the folder stays. Never throws. */
export async function removeAttemptFolder(
  folder: string,
  options: {
    readonly run: string;
    readonly log: Log;
    readonly sweep: (() => Promise<unknown>) | undefined;
  },
): Promise<void> {
  const { run, log, sweep } = options;
  try {
    await sweep?.();
  } catch (error) {
    const text = `What the launcher before had started for run ${run} could not be ended: ${messageOf(error)}.`;
    log.error(`${text} The run's folder is kept, so that the next one tries again.`, { run });
    return;
  }
  try {
    // First: an attempt that is over is not taken up again.
    await dropAssignment(folder);
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    log.warn(`The folder ${folder} could not be removed: ${messageOf(error)}`, { run });
  }
}
