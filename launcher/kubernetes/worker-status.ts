// Writes the status of Worker objects: some at a time, however many have changed at once, and the last word of each only.
import { messageOf } from '../../protocol/errors.js';
import type { WorkerStatus } from '../../protocol/kubernetes/resources.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { KubeApi } from './api.js';
import { keyOf, type Worker } from './objects.js';
import { workerPath } from './workers.js';

export interface StatusOf {
  readonly worker: Worker;
  /** As it is now; undefined when it is not to be written any more. */
  read(): WorkerStatus | undefined;
  /** What was written last, as JSON; empty at first. For the writer. */
  written: string;
}

export interface StatusWriter {
  /** The status may be another one than was written last. */
  changed(of: StatusOf): void;
}

/** Requests under way at a time. */
const lanes = 16;
/** Milliseconds until a status that could not be written is tried again. */
const again = 5_000;
/** Milliseconds: a line that is back sooner is not worth two writes for each of its workers. */
const blink = 5_000;

export function createStatusWriter(options: {
  readonly api: Pick<KubeApi, 'patch'>;
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Pick<Log, 'debug'>;
}): StatusWriter {
  const { api, clock, log } = options;
  const waiting = new Set<StatusOf>();
  const later = new Set<StatusOf>();
  const running = new Set<StatusOf>();

  function pump(): void {
    for (const of of waiting) {
      if (running.size >= lanes) return;
      // One after the other, so that the last word stays.
      if (running.has(of)) continue;
      waiting.delete(of);
      running.add(of);
      void write(of).finally(() => {
        running.delete(of);
        pump();
      });
    }
  }

  async function write(of: StatusOf): Promise<void> {
    const status = of.read();
    const text = JSON.stringify(status);
    if (status === undefined || text === of.written) return;
    try {
      of.written = text;
      await api.patch(`${workerPath(of.worker)}/status`, { status });
    } catch (error) {
      of.written = '';
      log.debug(`The status of ${keyOf(of.worker)} could not be written: ${messageOf(error)}`);
      putOff(of, again);
    }
  }

  function putOff(of: StatusOf, milliseconds: number): void {
    if (later.has(of)) return;
    later.add(of);
    clock.after(milliseconds, () => {
      later.delete(of);
      waiting.add(of);
      pump();
    });
  }

  return {
    changed(of) {
      if (of.read()?.state === 'OFFLINE' && of.written !== '') {
        putOff(of, blink);
        return;
      }
      waiting.add(of);
      pump();
    },
  };
}
