// Lets a machine of a cloud watch, and keeps what it reports.
import { until } from '../../support/until.js';
import type { CloudMachine, Notice } from '../../../../launcher/notices/notice.js';

export interface Watching {
  readonly reports: (readonly Notice[])[];
  readonly faults: string[];
  /** The newest report that has something in it. */
  notices(): Promise<readonly Notice[]>;
  /** Waits for that many reports. */
  reported(count: number): Promise<void>;
  end(): Promise<void>;
}

export function watching(machine: CloudMachine): Watching {
  const reports: (readonly Notice[])[] = [];
  const faults: string[] = [];
  const over = new AbortController();
  const done = machine.watch(
    (notices) => reports.push(notices),
    (error) => faults.push(String(error)),
    over.signal,
  );
  return {
    reports,
    faults,
    notices: () => until(() => reports.findLast((report) => report.length > 0), 'a notice'),
    async reported(count) {
      await until(() => reports.length >= count, `${String(count)} reports; faults: ${faults.join('; ')}`);
    },
    async end() {
      over.abort();
      await done;
    },
  };
}
