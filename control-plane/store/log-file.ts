// One file of numbered records, newline-delimited JSON: append in order, read from any number.
import { open, type FileHandle } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import { workStates } from '../../protocol/runs.js';
import { spoolRecordSchema, type LogRecord, type SpoolRecord } from '../../protocol/worker-api.js';

const newline = 10;
/** Bytes read at a time. */
const block = 256 * 1024;
/** Every so many records the place in the file is remembered. */
const stride = 256;

export interface LogLine {
  readonly record: SpoolRecord;
  /** The record as JSON, without a line end. */
  readonly text: string;
}

/** A file being written or read. Its writer is its only one. */
export class LogFile {
  /** Number of the last durable record; 0 for an empty file. */
  last = 0;
  /** Bytes of whole records. */
  size = 0;
  lastText: string | null = null;
  /** Record number → offset of its line, for numbers 1, 1 + stride, … */
  readonly #offsets: number[] = [];
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Opens a file, made if wanted, and cuts off a last line that was being written when the process died. */
  static async open(path: string, mode: 'write' | 'read'): Promise<LogFile> {
    const handle = await open(path, mode === 'write' ? 'a+' : 'r', 0o600);
    try {
      const file = new LogFile(handle);
      await file.#index();
      if (mode === 'write' && (await handle.stat()).size > file.size) {
        await handle.truncate(file.size);
        await handle.sync();
      }
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Writes records that follow `last` without a gap, and makes them durable. */
  async append(lines: readonly LogLine[]): Promise<void> {
    const bytes = Buffer.from(lines.map(({ text }) => `${text}\n`).join(''));
    await this.#handle.appendFile(bytes);
    await this.#handle.datasync();
    for (const { record, text } of lines) this.#count(record, Buffer.byteLength(text) + 1);
  }

  /** Records after a number, in order, as far as they are durable when they are asked for. */
  async *after(number: number): AsyncGenerator<SpoolRecord> {
    const wanted = Math.min(number + 1, Math.max(this.last, 1));
    const offset = this.#offsets[Math.floor((wanted - 1) / stride)] ?? 0;
    const until = this.last;
    for await (const records of this.#records(offset)) {
      for (const record of records) {
        if (record.n > until) return;
        if (record.n > number) yield record;
      }
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #count(record: SpoolRecord, bytes: number): void {
    if ((record.n - 1) % stride === 0) this.#offsets[(record.n - 1) / stride] = this.size;
    this.last = record.n;
    this.size += bytes;
    if (record.k === 'log' && record.m.trim() !== '') this.lastText = record.m;
  }

  /** Finds the lines without reading what they say: numbers have no gaps, so the n-th line is record n. */
  async #index(): Promise<void> {
    for await (const { data, position } of this.#blocks(0)) {
      for (let end = data.indexOf(newline); end !== -1; end = data.indexOf(newline, end + 1)) {
        if (this.last % stride === 0) this.#offsets[this.last / stride] = this.size;
        this.last += 1;
        this.size = position + end + 1;
      }
    }
    for (let index = this.#offsets.length - 1; index >= 0 && this.lastText === null; index -= 1) {
      await this.#findLastText(index);
    }
  }

  /** The last text of a stretch between two remembered places. */
  async #findLastText(index: number): Promise<void> {
    for await (const records of this.#records(this.#offsets[index] ?? 0)) {
      for (const record of records) {
        if (record.n > (index + 1) * stride) return;
        if (record.k === 'log' && record.m.trim() !== '') this.lastText = record.m;
      }
    }
  }

  /** From the beginning of a line on: the whole lines of each block. */
  async *#records(from: number): AsyncGenerator<SpoolRecord[]> {
    let rest = '';
    const decoder = new StringDecoder('utf8');
    for await (const { data } of this.#blocks(from)) {
      const lines = (rest + decoder.write(data)).split('\n');
      rest = lines.pop() ?? '';
      yield lines.map(recordOf);
    }
  }

  async *#blocks(from: number): AsyncGenerator<{ data: Buffer; position: number }> {
    for (let position = from; ;) {
      const { buffer, bytesRead } = await this.#handle.read(Buffer.allocUnsafe(block), 0, block, position);
      if (bytesRead === 0) return;
      yield { data: buffer.subarray(0, bytesRead), position };
      position += bytesRead;
    }
  }
}

/** Of a line that we wrote. The schema costs more than all the rest, so most of a log is told without it. */
export function recordOf(line: string): SpoolRecord {
  const value: unknown = JSON.parse(line);
  return isLogRecord(value) ? value : spoolRecordSchema.parse(value);
}

const states: ReadonlySet<unknown> = new Set(workStates);

function isLogRecord(value: unknown): value is LogRecord {
  if (typeof value !== 'object' || value === null || !('k' in value) || value.k !== 'log') return false;
  if (!('n' in value && 't' in value && 's' in value && 'm' in value)) return false;
  const { n, t, s, m } = value;
  return typeof n === 'number' && typeof t === 'number' && typeof m === 'string' && states.has(s);
}
