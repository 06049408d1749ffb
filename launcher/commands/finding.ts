// What `launcher doctor` has found.

/** `warning`: a worker works, but somebody should look. */
export type Verdict = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  /** What was seen, and what to do when it is not right. */
  readonly text: string;
}

/** What a check saw. */
export type Seen = Omit<Finding, 'check'>;

export const ok = (text: string): Seen => ({ verdict: 'ok', text });
