// Which version of the launcher is started: the one on probation, the last good one, or the one that was deployed.
import type { KeptRelease, Trial } from './shelf.js';

/** A release on probation is started so often before it is given up, when each time the machine or the launcher went away. */
export const mostStarts = 3;

export interface Shelved {
  readonly next: KeptRelease | undefined;
  readonly good: KeptRelease | undefined;
  readonly trial: Trial | undefined;
  /** A launcher was killed in the middle of a run, and this one is to go on with it. */
  readonly runLeft: boolean;
}

export interface Choice {
  /** Null: the launcher as it was deployed. */
  readonly release: KeptRelease | null;
  readonly probation: boolean;
  /** `released` of the newest release that runs or was given up; 0 when there is none. */
  readonly newest: number;
  readonly failed: { readonly version: string; readonly reason: string } | null;
}

export function choose({ next, good, trial, runLeft }: Shelved): Choice {
  const failed = failureOf(trial);
  const past = Math.max(good?.released ?? 0, failed === null ? 0 : (trial?.released ?? 0));
  // Who goes on with a run is a version that is known to work.
  if (next !== undefined && next.released > past && !runLeft)
    return { release: next, probation: true, newest: next.released, failed };
  return { release: good ?? null, probation: false, newest: past, failed };
}

function failureOf(trial: Trial | undefined): Choice['failed'] {
  if (trial === undefined) return null;
  const { version, failure, starts } = trial;
  if (failure !== null) return { version, reason: failure };
  if (starts < mostStarts) return null;
  const times = String(starts);
  return { version, reason: `it was started ${times} times and never connected before it was ended` };
}
