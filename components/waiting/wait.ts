// Waits until enough workers of one deployment are ready in the control plane, or says why they are not.
import { messageOf, PoolwrightError } from '../../protocol/errors.js';
import { Refused, type KnownWorker } from './workers.js';

export interface Wait {
  readonly count: number;
  /** Whether a worker is one of those that are waited for. */
  readonly counts: (worker: KnownWorker) => boolean;
  readonly milliseconds: number;
  readonly ask: () => Promise<readonly KnownWorker[]>;
  /** A line for whoever watches; said when something has changed. */
  readonly say: (line: string) => void;
  /** What is known of machines that did not come up, given those that did; lines. */
  readonly explain: (ready: readonly KnownWorker[]) => Promise<readonly string[]>;
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
}

const pause = 5000;

/** Throws when the time is over or the control plane refuses. A worker that has a run already was ready before. */
export async function waitForWorkers(wait: Wait): Promise<void> {
  const end = wait.now() + wait.milliseconds;
  let said = '';
  for (;;) {
    let ready: readonly KnownWorker[] = [];
    let trouble = '';
    try {
      const workers = await wait.ask();
      ready = workers.filter((worker) => !worker.drained && wait.counts(worker));
    } catch (error) {
      if (error instanceof Refused) throw error;
      trouble = `; the control plane could not be asked: ${messageOf(error)}`;
    }
    if (ready.length >= wait.count) return;
    const line = `${String(ready.length)} of ${String(wait.count)} workers are ready${trouble}`;
    if (line !== said) wait.say(line);
    said = line;
    if (wait.now() + pause > end) {
      const minutes = String(Math.round(wait.milliseconds / 60_000));
      const lines = await wait
        .explain(ready)
        .catch((error: unknown) => [`the cloud could not be asked for its machines: ${messageOf(error)}`]);
      throw new PoolwrightError(
        'WORKERS_NOT_READY',
        [`waitForWorkers: after ${minutes} minutes ${line}`, ...lines].join('\n'),
      );
    }
    await wait.sleep(pause);
  }
}
