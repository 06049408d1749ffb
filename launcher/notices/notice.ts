// What a cloud tells a machine about its near future, whichever cloud it is.

export interface Notice {
  /** The same for as long as the cloud says the same thing. */
  readonly id: string;
  /** A clause for people, such as "EC2 takes this spot instance back". */
  readonly what: string;
  /** `leave`: the machine goes away or restarts. `pause`: it stands still for seconds, and nothing on it is lost. */
  readonly kind: 'leave' | 'pause';
  /** Unix milliseconds when the cloud goes ahead; null when it waits, or does not say. */
  readonly deadline: number | null;
  /** Tells the cloud that it may go ahead now. Absent where the cloud does not listen, or others would suffer by it. */
  readonly acknowledge?: (signal: AbortSignal) => Promise<void>;
  /** Asks the cloud to wait longer, which it does for some minutes. Absent where it does not. */
  readonly prolong?: (signal: AbortSignal) => Promise<void>;
}

/** The machine as its cloud sees it. */
export interface CloudMachine {
  /** For the log: "EC2", "Azure", "Google Cloud". */
  readonly cloud: string;
  /**
   * Calls `report` with everything that is announced now, again and again, until the signal ends it. Never rejects:
   * what goes wrong is told to `fault` and tried again.
   */
  watch(
    report: (notices: readonly Notice[]) => void,
    fault: (error: unknown) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Keeps the group from choosing this machine when it gets smaller; null where the cloud has no such thing. */
  readonly protection: ScaleInProtection | null;
}

export interface ScaleInProtection {
  /** Rejects with a RefusedError when the cloud has answered that it does not; otherwise nobody knows whether it did. */
  set(protect: boolean, signal: AbortSignal): Promise<void>;
}

/** The cloud has understood, and does not do it: nothing has changed. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}
