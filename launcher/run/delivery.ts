// The log of an attempt, from its first line to its result: opened where an earlier process left it, and delivered whole.
import { join } from 'node:path';
import { PoolwrightError } from '../../protocol/errors.js';
import type { Clock } from '../clock.js';
import type { Executor } from '../executors/executor.js';
import type { Log } from '../log.js';
import { createJournal, type Journal } from './journal.js';
import type { RunPrinter } from './printer.js';
import type { AttemptRecord, Past } from './record.js';
import { openSpool, type Recovered, type Spool } from './spool.js';
import { startUploader } from './uploader.js';
import type { WorkerApi } from './worker-api.js';

export type Result = Extract<Parameters<Spool['add']>[0], { k: 'result' }>;

/** What is written while the attempt is worked on. */
export interface AttemptLog {
  readonly journal: Journal;
  readonly record: AttemptRecord;
  /** What earlier processes left in the spool. */
  readonly recovered: Recovered;
}

export interface DeliveryOptions {
  /** Absolute: the attempt's own. */
  readonly folder: string;
  readonly record: AttemptRecord;
  readonly past: Past;
  readonly executor: Executor['kind'];
  readonly api: WorkerApi;
  readonly clock: Clock;
  /** Unix milliseconds by the control plane's clock. */
  readonly now: () => number;
  readonly log: Log;
  readonly printer?: RunPrinter | undefined;
  /** Number of the last record that others have sent in this attempt. */
  readonly after: number;
  /** Gives delivery up when it is aborted; aborted here when all is delivered. */
  readonly delivery: AbortController;
  /** The log cannot be written: the run is to end. */
  readonly onFailure: (error: unknown) => void;
  /** The attempt no longer counts. */
  readonly onStale: () => void;
  /** Not called when the result is there already. Answers the result, or null when somebody else tells it. */
  readonly work: (log: AttemptLog) => Promise<Result | null>;
}

/**
 * Answers the outcome once the control plane has it; undefined when it was told by others. Throws what `work` throws, and
 * the reason for which delivery was given up.
 */
export async function deliver(options: DeliveryOptions): Promise<Result['outcome'] | undefined> {
  const { folder, record, past, api, clock, log, printer, after, delivery } = options;
  // Asked before anything is written: what an earlier process could only send has numbers that are taken.
  const sent = past.processes === 0 ? after : await api.sendSpool(Buffer.alloc(0), delivery.signal);
  const spool = await openSpool({
    path: join(folder, 'spool.ndjson'),
    now: options.now,
    note: (n, mark) => record.append({ k: 'spool', n, mark }),
    past: past.spooled,
    after,
    sent,
    onFailure: options.onFailure,
  });
  const { recovered } = spool;
  await record.append({ k: 'process', executor: options.executor }).catch(options.onFailure);
  const journal = createJournal({
    spool,
    clock,
    ...(printer === undefined ? {} : { onText: printer.text }),
  });
  if (recovered.state !== null) journal.stay(recovered.state);
  const uploader = startUploader({
    spool,
    after,
    api,
    log,
    signal: delivery.signal,
    sent,
    onStale: (error) => {
      log.debug(error.message);
      options.onStale();
    },
  });
  // Rejects when delivery is given up, which is heard of below; here it must not count as unheard.
  uploader.done.catch(() => undefined);
  try {
    const result = await worked();
    if (result !== null) spool.add(result);
    await spool.finish();
    await uploader.done;
    return result !== null && uploader.acknowledged === spool.last ? result.outcome : undefined;
  } finally {
    // Ends the uploader, should it still be at work, before the file goes.
    delivery.abort(new PoolwrightError('STALE_ATTEMPT', 'The attempt is over.'));
    await spool.finish();
    await uploader.done.catch(() => undefined);
    await spool.close();
  }

  /** However it ends, its last words are out then. */
  async function worked(): Promise<Result | null> {
    try {
      return recovered.hasResult ? null : await options.work({ journal, record, recovered });
    } finally {
      journal.endOutput();
      printer?.end();
    }
  }
}
