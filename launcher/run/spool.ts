// The log of one attempt on disk: numbered records, written before they are sent, kept until they are acknowledged.
import { open, type FileHandle } from 'node:fs/promises';
import { limits } from '../../protocol/limits.js';
import type { WorkState } from '../../protocol/runs.js';
import type { ResultRecord, SpoolRecord } from '../../protocol/worker-api.js';
import type { OutputMark, Past } from './record.js';
import { recoverSpool, type Place } from './spool-file.js';
import { readWhole, writeWhole } from './write-whole.js';

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
  /**
   * Takes an entry; text of any length is cut into records. Never blocks and never throws: see `failure`. `mark`:
   * up to where the output of a step is in the spool with this entry; it is noted before the entry is written.
   */
  add(entry: Entry, mark?: OutputMark | null): void;
  /** Resolves when all that was added is written, or cannot be. */
  settled(): Promise<void>;
  /** The next records after a number, at most `limits.spoolBatch` bytes. Waits for one; undefined when closed first. */
  next(after: number): Promise<Batch | undefined>;
  /** Number of the last record. */
  readonly last: number;
  /** Up to where the output of a step is written. */
  readonly mark: OutputMark | null;
  /**
   * Set when the disk refused a record: the run cannot go on. From then on records are kept in memory, without what
   * commands print, so that the run's end can be told.
   */
  readonly failure: Error | undefined;
  /** No more records: whoever reads gets what is there and then undefined. */
  finish(): Promise<void>;
  /** Lets go of the file. Nothing can be read afterwards. */
  close(): Promise<void>;
}

export interface SpoolOptions {
  readonly path: string;
  /** Unix milliseconds by the control plane's clock. */
  readonly now: () => number;
  /** Notes that the spool is about to be written up to record `n`. */
  readonly note: (n: number, mark: OutputMark | null) => Promise<void>;
  /** Called once, see `failure`. */
  readonly onFailure?: (error: Error) => void;
  /** What earlier processes noted. */
  readonly past?: Past['spooled'];
  /** The last number that somebody else has used in this attempt already. Default: 0. */
  readonly after?: number;
  /**
   * The last number that the control plane has of an earlier process: that one may have sent records which it could not
   * write, and they are not here. New ones come after them. Default: 0.
   */
  readonly sent?: number;
}

/** What earlier processes left in a spool. */
export interface Recovered {
  /** The state that was entered last. */
  readonly state: WorkState | null;
  /** The attempt has its result: nothing may be added. */
  readonly hasResult: boolean;
  readonly mark: OutputMark | null;
}

/** What one call of `add` brings: its records are written together. */
interface Group {
  readonly text: string;
  readonly records: number;
  /** Number of its last record. */
  readonly last: number;
  readonly mark: OutputMark | null | undefined;
}

/** Opens a spool, also that of an earlier process: what that one had not written whole is cut off. */
export async function openSpool(options: SpoolOptions): Promise<Spool & { readonly recovered: Recovered }> {
  const { path, now, note, past = [], after = 0, sent = 0 } = options;
  const handle = await open(path, past.length === 0 ? 'w+' : 'r+', 0o600);
  const { places, recovered } = await recoverSpool(handle, past, after);
  let waiting: Group[] = [];
  let writing: Promise<void> | undefined;
  let written = places.at(-1) ?? { number: 0, offset: 0 };
  let wake: (() => void)[] = [];
  let last = written.number;
  let closed = false;
  let failure: Error | undefined;
  let mark: OutputMark | null = recovered.mark;
  // What is there is noted anew: the last two notes might both be of writes that never happened, one in each process.
  if (past.length > 0) await note(written.number, mark).catch(fail);
  if (last < sent) fillUp();

  /** Records that are never sent, in the place of those that are there already: a file has no gaps. */
  function fillUp(): void {
    const entry = { k: 'log', s: recovered.state ?? 'PREPARING', m: '' } as const;
    const records = sent - last;
    const text = Array.from({ length: records }, () => lineOf(entry)).join('');
    waiting.push({ text, records, last, mark: null });
    schedule();
  }

  function fail(error: unknown): void {
    failure = error instanceof Error ? error : new Error(String(error));
    notify();
    options.onFailure?.(failure);
  }

  function lineOf(entry: Entry): string {
    last += 1;
    return `${JSON.stringify({ n: last, t: Math.round(now()), ...entry } satisfies SpoolRecord)}\n`;
  }

  async function write(): Promise<void> {
    // One turn of the event loop: what a program prints in one go becomes one write.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const part = takeBatch(waiting);
      const bytes = Buffer.from(part.map(({ text }) => text).join(''));
      const number = written.number + part.reduce((sum, { records }) => sum + records, 0);
      const reached = part.findLast((group) => group.mark != null)?.mark ?? mark;
      await note(number, reached);
      await writeWhole(handle, bytes, written.offset);
      mark = reached;
      waiting = waiting.slice(part.length);
      written = { number, offset: written.offset + bytes.length };
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
    if (failure !== undefined) {
      notify();
      return;
    }
    writing ??= write()
      .catch(fail)
      .finally(() => {
        writing = undefined;
      });
  }

  return {
    recovered,
    add(entry, place) {
      if (closed || (failure !== undefined && place != null)) return;
      const lines =
        entry.k === 'log' ? Array.from(pieces(entry.m), (m) => lineOf({ ...entry, m })) : [lineOf(entry)];
      waiting.push({ text: lines.join(''), records: lines.length, last, mark: place });
      schedule();
    },
    async settled() {
      while (writing !== undefined) await writing;
    },
    async next(known) {
      while (written.number <= known) {
        const unwritten =
          failure === undefined ? [] : takeBatch(waiting.filter((group) => group.last > known));
        const end = unwritten.at(-1);
        if (end !== undefined)
          return { body: Buffer.from(unwritten.map(({ text }) => text).join('')), last: end.last };
        if (closed) return undefined;
        await new Promise<void>((resolve) => wake.push(resolve));
      }
      return readBatch(handle, places, known);
    },
    get last() {
      return last;
    },
    get mark() {
      return mark;
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

/** As many groups as fit into one request, at least one. */
function takeBatch(groups: readonly Group[]): Group[] {
  let size = 0;
  const end = groups.findIndex(({ text }) => {
    // Three bytes is the most that one unit of a JavaScript string takes in UTF-8.
    size += text.length * 3;
    return size > limits.spoolBatch;
  });
  return groups.slice(0, end === -1 ? groups.length : Math.max(1, end));
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
  return { body: await readWhole(handle, end.offset - start.offset, start.offset), last: end.number };
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
