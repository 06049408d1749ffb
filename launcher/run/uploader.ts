// Sends the spool to the control plane, in order, again and again until every record is acknowledged.
import * as z from 'zod';
import { PoolwrightError, messageOf } from '../../protocol/errors.js';
import { limits } from '../../protocol/limits.js';
import type { Log } from '../log.js';
import type { Batch, Spool } from './spool.js';
import type { WorkerApi } from './worker-api.js';

const numberSchema = z.object({ n: z.int() });

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
  /** Number of the last record that the control plane has of an earlier process. Default: `after`. */
  readonly sent?: number;
  /** The attempt no longer counts, by the control plane; or its log cannot be sent, and so nothing of it told. */
  readonly onStale: (error: PoolwrightError) => void;
}

export function startUploader(options: UploaderOptions): Uploader {
  const { spool, api, log, signal, after = 0, onStale } = options;
  let acknowledged = Math.max(after, options.sent ?? 0);
  /** Bytes of a request: less where something in between takes less than the control plane does. */
  let most: number = limits.spoolBatch;

  const ask = (): Promise<number> => api.sendSpool(Buffer.alloc(0), signal);

  async function send(): Promise<void> {
    /** What it was set back to when records came with a gap before them; a second time must get further. */
    let setBack = -1;
    for (;;) {
      const whole = await spool.next(acknowledged);
      if (whole === undefined) return;
      const batch: Part = whole.body.length > most ? beginningOf(whole, acknowledged, most) : whole;
      try {
        const answered = await api.sendSpool(batch.body, signal);
        // Never beyond what was sent, whatever the answer: a record is dropped only when it is known to be there.
        acknowledged = Math.min(Math.max(acknowledged, answered), batch.last);
      } catch (error) {
        if (!(error instanceof PoolwrightError)) throw error;
        if (error.code === 'TOO_LARGE' && batch.records !== 1) {
          most = Math.floor(batch.body.length / 2);
          log.warn(`${error.message} The log is sent in requests of ${String(most)} bytes from now on.`);
          continue;
        }
        if (error.code !== 'OUT_OF_SEQUENCE') throw error;
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
    const refused = error instanceof PoolwrightError;
    if (!refused || error.code !== 'STALE_ATTEMPT') {
      const what = refused ? 'was refused' : 'cannot be read back from the disk';
      log.error(`The log of the run ${what}: ${messageOf(error)}`, refused ? { code: error.code } : {});
    }
    onStale(refused ? error : new PoolwrightError('INTERNAL', messageOf(error), { cause: error }));
  });
  return {
    done,
    get acknowledged() {
      return acknowledged;
    },
  };
}

/** `records`: how many they are, where they were counted. */
interface Part extends Batch {
  readonly records?: number;
}

/** The first records after a number, at least one; what comes before them is there already. */
function beginningOf({ body }: Batch, after: number, most: number): Part {
  let records = 0;
  let last = after;
  let from = 0;
  let start = 0;
  for (let end = body.indexOf(10); end !== -1; end = body.indexOf(10, start)) {
    const { n } = numberSchema.parse(JSON.parse(body.toString('utf8', start, end)));
    if (n <= after) from = end + 1;
    else if (records > 0 && end + 1 - from > most) break;
    else {
      records += 1;
      last = n;
    }
    start = end + 1;
  }
  return { body: body.subarray(from, start), last, records };
}
