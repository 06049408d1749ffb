// Sends the spool to the control plane, in order, again and again until every record is acknowledged.
import { PoolwrightError, messageOf } from '../../protocol/errors.js';
import type { Log } from '../log.js';
import type { Spool } from './spool.js';
import type { WorkerApi } from './worker-api.js';

export interface Uploader {
  /**
   * Resolves when the spool is closed and all of it acknowledged, or when the attempt no longer counts. Rejects
   * only when `signal` ends it.
   */
  readonly done: Promise<void>;
  /** Number of the last record that the control plane has. */
  readonly acknowledged: number;
}

export interface UploaderOptions {
  readonly spool: Spool;
  /** Number of the last record that the control plane has already. Default: 0. */
  readonly after?: number;
  readonly api: WorkerApi;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** An earlier process may have sent records: the control plane is asked which it has. Default: it has none. */
  readonly resumed?: boolean;
  /** The control plane says that the attempt no longer counts. */
  readonly onStale: (error: PoolwrightError) => void;
}

export function startUploader(options: UploaderOptions): Uploader {
  const { spool, api, log, signal, after = 0, resumed = false, onStale } = options;
  let acknowledged = after;

  const ask = (): Promise<number> => api.sendSpool(Buffer.alloc(0), signal);

  async function send(): Promise<void> {
    if (resumed) acknowledged = await ask();
    /** What it was set back to when records came with a gap before them; a second time must get further. */
    let setBack = -1;
    for (;;) {
      const batch = await spool.next(acknowledged);
      if (batch === undefined) return;
      try {
        const answered = await api.sendSpool(batch.body, signal);
        // Never beyond what was sent, whatever the answer: a record is dropped only when it is known to be there.
        acknowledged = Math.min(Math.max(acknowledged, answered), batch.last);
      } catch (error) {
        if (!(error instanceof PoolwrightError) || error.code !== 'OUT_OF_SEQUENCE') throw error;
        const stored = await ask();
        // Below `after` there is nothing here to send.
        if (stored <= setBack || stored < after) throw error;
        log.warn(`The control plane has records up to ${String(stored)} only; sending from there again.`);
        setBack = stored;
        acknowledged = stored;
      }
    }
  }

  const done = send().catch((error: unknown) => {
    if (signal.aborted) throw signal.reason as Error;
    if (!(error instanceof PoolwrightError)) throw error;
    if (error.code !== 'STALE_ATTEMPT') {
      log.error(`The log of the run was refused: ${messageOf(error)}`, { code: error.code });
    }
    onStale(error);
  });
  return {
    done,
    get acknowledged() {
      return acknowledged;
    },
  };
}
