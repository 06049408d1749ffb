// One file of numbered records, newline-delimited JSON: append in order, read from any number.
import { open, type FileHandle } from 'node:fs/promises';
import { spoolRecordSchema, type SpoolRecord } from '../../protocol/worker-api.js';

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
      for await (const line of file.#lines(0)) file.#count(line.record, line.bytes);
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
    for await (const { record } of this.#lines(offset)) {
      if (record.n > until) return;
      if (record.n > number) yield record;
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

  async *#lines(from: number): AsyncGenerator<{ record: SpoolRecord; bytes: number }> {
    let position = from;
    let rest = Buffer.alloc(0);
    for (;;) {
      const { buffer, bytesRead } = await this.#handle.read(Buffer.allocUnsafe(block), 0, block, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      let data = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      for (let end = data.indexOf(newline); end !== -1; end = data.indexOf(newline)) {
        const value: unknown = JSON.parse(data.toString('utf8', 0, end));
        yield { record: spoolRecordSchema.parse(value), bytes: end + 1 };
        data = data.subarray(end + 1);
      }
      rest = data;
    }
  }
}
