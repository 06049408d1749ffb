// Says to the control plane, again and again, that the run of this pod goes on. While no controller speaks for its worker,
// that alone keeps the run from counting as lost; and a run that does count as lost hears of it here and is ended.
import { messageOf } from '../../../protocol/errors.js';
import { rhythm } from '../../../protocol/limits.js';
import { sleep, type Clock } from '../../clock.js';
import type { Log } from '../../log.js';
import type { WorkerApi } from '../../run/worker-api.js';
import { isStale } from '../report.js';

export interface SignsOptions extends Pick<WorkerApi, 'alive'> {
  /** Aborted when the run is over. */
  readonly signal: AbortSignal;
  /** The attempt no longer counts: what it executes has to end. */
  readonly onStale: () => void;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
}

/** Resolves when the run is over, or when there is nobody to say it to any more. Never rejects. */
export async function giveSigns({ alive, signal, onStale, clock, log }: SignsOptions): Promise<void> {
  const isOver = () => signal.aborted;
  for (;;) {
    await sleep(clock, rhythm.podSign, signal);
    if (isOver()) return;
    try {
      await alive(signal);
    } catch (error) {
      // Of the run's end it is told elsewhere, too.
      if (isOver()) return;
      if (isStale(error)) onStale();
      // A control plane from before there were such signs, for one: it takes the controller's word alone.
      else log.warn(`No further signs of life are given: ${messageOf(error)}`);
      return;
    }
  }
}
