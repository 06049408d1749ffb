// The logs of runs: a folder for each run, a file of numbered records for each attempt.
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Transaction } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import { ulidSchema } from '../../protocol/topics.js';
import type { SpoolRecord } from '../../protocol/worker-api.js';
import { entriesOf } from './entries.js';
import { assertFollows, bounded, lastLineOf } from './log-bounds.js';
import { LogFile, type LogLine } from './log-file.js';
import type { Database } from './schema.js';

/** A place in a run's log: everything up to and including this record has been read. */
export interface LogCursor {
  readonly attempt: number;
  readonly number: number;
}

export interface StoredRecord {
  readonly attempt: number;
  readonly record: SpoolRecord;
}

export interface LogStore {
  /**
   * Stores records of an attempt durably and answers the number of the last durable one. Records that are there
   * already are passed over, so a resend changes nothing. Throws OUT_OF_SEQUENCE when there is a gap.
   */
  append(run: string, attempt: number, lines: readonly LogLine[]): Promise<number>;
  /** Records after a cursor (default: all), attempt by attempt, each in order. Ends with what is there now. */
  read(run: string, after?: LogCursor): AsyncIterable<StoredRecord>;
  /** The last line with text, shortened to 500 characters; null when there is none. `within`: the caller's transaction. */
  lastLine(run: string, within?: Transaction<Database>): Promise<string | null>;
  delete(run: string): Promise<void>;
  /** Runs with a log, and when it was begun or went to another attempt, in Unix milliseconds. */
  list(): Promise<{ readonly run: string; readonly modifiedAt: number }[]>;
  /** Puts what is older than a time (Unix milliseconds) in order. Answers how many useless things were removed. */
  tidy(before: number): Promise<number>;
  close(): Promise<void>;
}

/** Text form of a cursor, as clients get it: `<attempt>.<number>`. */
export function formatCursor({ attempt, number }: LogCursor): string {
  return `${String(attempt)}.${String(number)}`;
}

/** Throws INVALID_ARGUMENT. */
export function parseCursor(text: string): LogCursor {
  const match = /^(\d{1,7})\.(\d{1,12})$/.exec(text);
  if (match === null) {
    throw new PoolwrightError('INVALID_ARGUMENT', 'Expected a log token that came with an earlier answer.');
  }
  return { attempt: Number(match[1]), number: Number(match[2]) };
}

interface OpenFile {
  readonly file: Promise<LogFile>;
  /** Writes and the closing, one after the other. */
  queue: Promise<unknown>;
  used: number;
}

/** Files open for writing at most; beyond it the one that was idle longest is closed. */
const usualMaximum = 256;

/** Logs in files below a folder. One process writes them (the data folder's lock sees to it). */
export function createFileLogStore(folder: string, maximumOpen = usualMaximum): LogStore {
  const open = new Map<string, OpenFile>();
  /** Files that are being closed: whoever opens one again waits, so that a file never has two writers. */
  const closing = new Map<string, Promise<unknown>>();
  let uses = 0;

  function folderOf(run: string): string {
    if (!ulidSchema.safeParse(run).success) throw new PoolwrightError('NOT_FOUND', 'There is no such run.');
    return join(folder, run);
  }

  function writable(run: string, attempt: number): OpenFile {
    const path = join(folderOf(run), `${String(attempt)}.ndjson`);
    let entry = open.get(path);
    if (entry === undefined) {
      const file = openForWriting(run, path);
      // A file that cannot be opened now may be later.
      file.catch(() => open.delete(path));
      entry = { file, queue: file, used: 0 };
      open.set(path, entry);
    }
    uses += 1;
    entry.used = uses;
    closeIdle();
    return entry;
  }

  async function openForWriting(run: string, path: string): Promise<LogFile> {
    await closing.get(path);
    await mkdir(folderOf(run), { recursive: true, mode: 0o700 });
    return LogFile.open(path, 'write');
  }

  function closeIdle(): void {
    if (open.size <= maximumOpen) return;
    const oldest = [...open].sort(([, a], [, b]) => a.used - b.used)[0];
    if (oldest === undefined) return;
    const [path, entry] = oldest;
    open.delete(path);
    const closed = entry.queue
      .then(async () => (await entry.file).close())
      // A file that could not be opened needs no closing; whoever asked for it has heard of the fault.
      .catch(() => undefined)
      .finally(() => {
        if (closing.get(path) === closed) closing.delete(path);
      });
    closing.set(path, closed);
  }

  async function attemptsOf(run: string): Promise<number[]> {
    const names = await readdir(folderOf(run)).catch(ignoreMissing);
    return names
      .map((name) => Number(/^(\d+)\.ndjson$/.exec(name)?.[1] ?? Number.NaN))
      .filter((attempt) => !Number.isNaN(attempt))
      .sort((a, b) => a - b);
  }

  /** The open file when there is one, so that its index serves; otherwise one that is closed after use. */
  async function withFile<T>(
    run: string,
    attempt: number,
    use: (file: LogFile) => T,
  ): Promise<{ value: T; done: () => Promise<void> }> {
    const path = join(folderOf(run), `${String(attempt)}.ndjson`);
    const entry = open.get(path);
    if (entry !== undefined) {
      uses += 1;
      entry.used = uses;
      return { value: use(await entry.file), done: () => Promise.resolve() };
    }
    const file = await LogFile.open(path, 'read');
    return { value: use(file), done: () => file.close() };
  }

  return {
    append(run, attempt, lines) {
      const entry = writable(run, attempt);
      const result = entry.queue.then(async () => {
        const file = await entry.file;
        const fresh = lines.filter(({ record }) => record.n > file.last);
        assertFollows(file.last, fresh);
        if (fresh.length > 0) await file.append(bounded(file.size, fresh));
        return file.last;
      });
      // The next write starts after this one, also when this one failed; its caller hears of that.
      entry.queue = result.catch(() => undefined);
      return result;
    },
    async *read(run, after = { attempt: 0, number: 0 }) {
      for (const attempt of await attemptsOf(run)) {
        if (attempt < after.attempt) continue;
        const from = attempt === after.attempt ? after.number : 0;
        const { value: records, done } = await withFile(run, attempt, (file) => file.after(from));
        try {
          for await (const record of records) yield { attempt, record };
        } finally {
          await done();
        }
      }
    },
    async lastLine(run) {
      for (const attempt of (await attemptsOf(run)).reverse()) {
        const { value: text, done } = await withFile(run, attempt, (file) => file.lastText);
        await done();
        if (text !== null) return lastLineOf(text);
      }
      return null;
    },
    async delete(run) {
      const prefix = `${folderOf(run)}/`;
      for (const [path, entry] of open) {
        if (!path.startsWith(prefix)) continue;
        open.delete(path);
        await entry.queue;
        await (await entry.file).close();
      }
      await rm(folderOf(run), { recursive: true, force: true });
    },
    async list() {
      return (await entriesOf(folder)).map(({ name, modifiedAt }) => ({ run: name, modifiedAt }));
    },
    // A file is in order from the beginning.
    tidy: () => Promise.resolve(0),
    async close() {
      const entries = [...open.values()];
      open.clear();
      await Promise.all(closing.values());
      for (const { queue, file } of entries) {
        await queue;
        await (await file).close();
      }
    },
  };
}

function ignoreMissing(error: unknown): string[] {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
  throw error;
}
