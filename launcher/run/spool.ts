// The log of one attempt on disk: numbered records, written before they are sent, kept until they are acknowledged.
import { open, type FileHandle } from 'node:fs/promises';
import { limits } from '../../protocol/limits.js';
import type { WorkState } from '../../protocol/runs.js';
import type { ResultRecord, SpoolRecord } from '../../protocol/worker-api.js';

/** A record without what the spool gives it. */
export type Entry =
  | { readonly k: 'log'; readonly s: WorkState; readonly m: string }
  | { readonly k: 'state'; readonly s: WorkState }
  | Omit<ResultRecord, 'n' | 't'>;

/** Records in a row, as they go over the wire. */
export interface Batch {
  /** Newline-delimited JSON. */
  readonly body: Buffer;
  /** Number of the last record in it. */
  readonly last: number;
}

export interface Spool {
  /** Takes an entry; text of any length is cut into records. Never blocks and never throws: see `failure`. */
  add(entry: Entry): void;
  /** The next records after a number, at most `limits.spoolBatch` bytes. Waits for one; undefined when closed first. */
  next(after: number): Promise<Batch | undefined>;
  /** Number of the last record. */
  readonly last: number;
  /** Set when the disk refused a record: the run cannot go on, because its log would have a hole. */
  readonly failure: Error | undefined;
  /** No more records: whoever reads gets what is there and then undefined. */
  finish(): Promise<void>;
  /** Lets go of the file. Nothing can be read afterwards. */
  close(): Promise<void>;
}

interface Place {
  readonly number: number;
  readonly offset: number;
}

/**
 * Opens a new spool file. `now` gives Unix milliseconds by the control plane's clock. `after`: the last number that
 * somebody else has used in this attempt already.
 */
export async function createSpool(path: string, now: () => number, after = 0): Promise<Spool> {
  const handle = await open(path, 'wx+', 0o600);
  /** Where batches may begin: after each write, so none is longer than `limits.spoolBatch`. */
  const places: Place[] = [{ number: after, offset: 0 }];
  let waiting: string[] = [];
  let writing: Promise<void> | undefined;
  let written = { number: after, offset: 0 };
  let wake: (() => void)[] = [];
  let last = after;
  let closed = false;
  let failure: Error | undefined;

  function put(entry: Entry): void {
    last += 1;
    waiting.push(`${JSON.stringify({ n: last, t: Math.round(now()), ...entry } satisfies SpoolRecord)}\n`);
  }

  async function write(): Promise<void> {
    // One turn of the event loop: what a program prints in one go becomes one write.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const part = takeBatch(waiting);
      waiting = waiting.slice(part.length);
      const bytes = Buffer.from(part.join(''));
      await handle.write(bytes, 0, bytes.length, written.offset);
      written = { number: written.number + part.length, offset: written.offset + bytes.length };
      places.push(written);
      notify();
    }
  }

  function notify(): void {
    const callbacks = wake;
    wake = [];
    for (const callback of callbacks) callback();
  }

  function schedule(): void {
    writing ??= write()
      .catch((error: unknown) => {
        failure = error instanceof Error ? error : new Error(String(error));
        closed = true;
        notify();
      })
      .finally(() => {
        writing = undefined;
      });
  }

  return {
    add(entry) {
      if (closed) return;
      if (entry.k === 'log') for (const m of pieces(entry.m)) put({ ...entry, m });
      else put(entry);
      schedule();
    },
    async next(after) {
      while (written.number <= after) {
        if (closed) return undefined;
        await new Promise<void>((resolve) => wake.push(resolve));
      }
      return readBatch(handle, places, after);
    },
    get last() {
      return last;
    },
    get failure() {
      return failure;
    },
    async finish() {
      while (writing !== undefined) await writing;
      closed = true;
      notify();
    },
    close: () => handle.close(),
  };
}

/** As many lines as fit into one request, at least one. */
function takeBatch(lines: readonly string[]): string[] {
  let size = 0;
  const end = lines.findIndex((line) => {
    // Three bytes is the most that one unit of a JavaScript string takes in UTF-8.
    size += line.length * 3;
    return size > limits.spoolBatch;
  });
  return lines.slice(0, end === -1 ? lines.length : Math.max(1, end));
}

/** Whole writes from the one that holds `after + 1`; what comes before it in that write the other side passes over. */
async function readBatch(handle: FileHandle, places: readonly Place[], after: number): Promise<Batch> {
  let low = places.findLastIndex(({ number }) => number <= after);
  if (low === -1) low = 0;
  const start = places[low];
  let high = low + 1;
  const fits = (index: number) =>
    (places[index]?.offset ?? Infinity) - (start?.offset ?? 0) <= limits.spoolBatch;
  while (fits(high + 1)) high += 1;
  const end = places[high];
  if (start === undefined || end === undefined) throw new Error('a batch was asked for that is not written');
  const body = Buffer.allocUnsafe(end.offset - start.offset);
  await handle.read(body, 0, body.length, start.offset);
  return { body, last: end.number };
}

/** Cuts text at the bound of a record, never through a character. */
function* pieces(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    let end = Math.min(text.length, start + limits.logRecordText);
    const unit = text.charCodeAt(end - 1);
    if (end < text.length && unit >= 0xd800 && unit <= 0xdbff) end -= 1;
    yield text.slice(start, end);
    start = end;
  }
}
