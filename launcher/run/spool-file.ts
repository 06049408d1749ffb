// Reads a spool that an earlier process left: how far it was written whole, and what it says last.
import type { FileHandle } from 'node:fs/promises';
import { limits } from '../../protocol/limits.js';
import { spoolRecordSchema, type SpoolRecord } from '../../protocol/worker-api.js';
import { PoolwrightError } from '../../protocol/errors.js';
import type { OutputMark, Past } from './record.js';
import type { Recovered } from './spool.js';

/** The end of a record in the file. */
export interface Place {
  readonly number: number;
  readonly offset: number;
}

interface Found {
  /** Where requests may begin. */
  readonly places: Place[];
  readonly recovered: Recovered;
}

/**
 * Cuts off a last write that did not happen whole: nothing of it was sent, and its output comes again. A write is
 * noted before it is made, so the notes tell where one ends. Throws INTERNAL when more than that is missing.
 */
export async function recoverSpool(handle: FileHandle, past: Past['spooled'], first = 0): Promise<Found> {
  const start: Place = { number: first, offset: 0 };
  if (past.length === 0) return { places: [start], recovered: { state: null, hasResult: false, mark: null } };
  const ends = [start];
  let state: Recovered['state'] = null;
  let hasResult = false;
  const records: SpoolRecord[] = [];
  for await (const { record, end } of recordsOf(handle)) {
    ends.push({ number: record.n, offset: end });
    if (record.k !== 'log') records.push(record);
  }
  const last = ends.at(-1) ?? start;
  const known = past.findLast(({ n }) => n <= last.number);
  const whole = known ?? { n: 0, mark: null as OutputMark | null };
  const end = ends[whole.n];
  if (end === undefined || (known === undefined && past.length > 1)) {
    throw new PoolwrightError(
      'INTERNAL',
      `The spool of the run has ${String(last.number)} records, and fewer than were noted.`,
    );
  }
  for (const record of records) {
    if (record.n > whole.n) break;
    if (record.k === 'state') state = record.s;
    else hasResult = true;
  }
  await handle.truncate(end.offset);
  return { places: sparse(ends.slice(0, whole.n + 1)), recovered: { state, hasResult, mark: whole.mark } };
}

/** Whole lines with the number that they should have, up to the first that is not. */
async function* recordsOf(handle: FileHandle): AsyncGenerator<{ record: SpoolRecord; end: number }> {
  const buffer = Buffer.allocUnsafeSlow(limits.spoolBatch + 1024 * 1024);
  let kept = 0;
  let offset = 0;
  let number = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, kept, buffer.length - kept, offset + kept);
    if (bytesRead === 0) return;
    const size = kept + bytesRead;
    let start = 0;
    for (let end = buffer.indexOf(10); end !== -1 && end < size; end = buffer.indexOf(10, start)) {
      const record = parse(buffer.toString('utf8', start, end));
      if (record?.n !== number + 1) return;
      number += 1;
      start = end + 1;
      yield { record, end: offset + start };
    }
    buffer.copyWithin(0, start, size);
    kept = size - start;
    offset += start;
  }
}

function parse(line: string): SpoolRecord | undefined {
  try {
    return spoolRecordSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** Ends of records so far apart that requests are of a fair size, and the last one. */
function sparse(ends: readonly Place[]): Place[] {
  const kept: Place[] = [];
  let next: Place | undefined;
  for (const place of ends) {
    const before = kept.at(-1);
    if (
      before !== undefined &&
      next !== undefined &&
      next !== before &&
      place.offset - before.offset > limits.spoolBatch / 4
    )
      kept.push(next);
    if (before === undefined) kept.push(place);
    next = place;
  }
  if (next !== undefined && next !== kept.at(-1)) kept.push(next);
  return kept;
}
