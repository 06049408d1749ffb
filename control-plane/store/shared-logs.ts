// The logs of runs where any process may store and serve them: the latest records in the database, where they are
// durable and in order at once; what is older in the object store, in pieces of a size that is worth an object.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { sql, type Kysely, type Selectable, type Transaction } from 'kysely';
import type { SpoolRecord } from '../../protocol/worker-api.js';
import type { Clock, Ids } from '../clock.js';
import { assertFollows, bounded, lastLineOf } from './log-bounds.js';
import { recordOf, type LogLine } from './log-file.js';
import { moveRecords, removeUnused } from './log-moves.js';
import type { LogStore } from './logs.js';
import type { ObjectStore } from './objects.js';
import type { LogAttemptsTable, LogChunksTable } from './run-tables.js';
import type { Database } from './schema.js';

export interface SharedLogsOptions {
  readonly db: Kysely<Database>;
  readonly objects: ObjectStore;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Bytes of one attempt that are stored before they move to the object store; default 1 MiB. */
  readonly moveAt?: number;
  /** Told of a move that failed; the next one takes the same records. */
  readonly onFault: (error: unknown) => void;
}

const usualMoveAt = 1024 * 1024;
/** Pieces read at a time. */
const page = 4;

type Chunk = Selectable<LogChunksTable>;
type Attempt = Selectable<LogAttemptsTable>;

const unpack = promisify(gunzip);

export function createSharedLogs(options: SharedLogsOptions): LogStore {
  const { db, objects, clock } = options;
  const moveAt = options.moveAt ?? usualMoveAt;
  /** Bytes that this process has stored of an attempt since it moved any. */
  const stored = new Map<string, number>();
  const moving = new Map<string, Promise<void>>();

  async function store(
    tx: Transaction<Database>,
    run: string,
    attempt: number,
    lines: readonly LogLine[],
  ): Promise<{ last: number; bytes: number }> {
    const now = clock.now();
    const before = await lockAttempt(tx, run, attempt, now);
    const fresh = lines.filter(({ record }) => record.n > before.last_number);
    assertFollows(before.last_number, fresh);
    const first = fresh[0];
    if (first === undefined) return { last: before.last_number, bytes: 0 };
    const kept = bounded(before.bytes, fresh);
    const records = kept.map(({ text }) => text).join('\n');
    const bytes = Buffer.byteLength(records) + 1;
    const last = before.last_number + kept.length;
    await tx
      .insertInto('log_chunks')
      .values({
        run_id: run,
        attempt,
        first_number: first.record.n,
        last_number: last,
        bytes,
        records,
        object: null,
      })
      .execute();
    await tx
      .updateTable('log_attempts')
      .set({
        last_number: last,
        bytes: before.bytes + bytes,
        last_text: lastTextOf(kept) ?? before.last_text,
        updated_at: now,
      })
      .where('run_id', '=', run)
      .where('attempt', '=', attempt)
      .execute();
    return { last, bytes };
  }

  function moveSoon(run: string, attempt: number): void {
    const key = `${run}/${String(attempt)}`;
    if (moving.has(key)) return;
    stored.delete(key);
    moving.set(
      key,
      moveRecords(options, run, attempt)
        .catch(options.onFault)
        .finally(() => moving.delete(key)),
    );
  }

  async function* recordsOf({ records, object }: Chunk): AsyncGenerator<SpoolRecord> {
    const text = records ?? (object === null ? '' : await fetchText(object));
    for (const line of text.split('\n')) if (line !== '') yield recordOf(line);
  }

  async function fetchText(object: string): Promise<string> {
    const { stream } = await objects.get(object);
    const parts: Uint8Array[] = [];
    for await (const part of stream) parts.push(part as Uint8Array);
    return (await unpack(Buffer.concat(parts))).toString();
  }

  return {
    async append(run, attempt, lines) {
      const { last, bytes } = await db.transaction().execute((tx) => store(tx, run, attempt, lines));
      const key = `${run}/${String(attempt)}`;
      const size = (stored.get(key) ?? 0) + bytes;
      stored.set(key, size);
      if (size >= moveAt) moveSoon(run, attempt);
      if (lines.some(({ record }) => record.k === 'result')) stored.delete(key);
      return last;
    },
    async *read(run, after = { attempt: 0, number: 0 }) {
      let cursor = after;
      for (;;) {
        const chunks = await db
          .selectFrom('log_chunks')
          .selectAll()
          .where('run_id', '=', run)
          .where(
            sql<boolean>`(attempt, last_number) > (${cursor.attempt}::integer, ${cursor.number}::bigint)`,
          )
          .orderBy('attempt')
          .orderBy('first_number')
          .limit(page)
          .execute();
        for (const chunk of chunks) {
          for await (const record of recordsOf(chunk)) {
            if (chunk.attempt === cursor.attempt && record.n <= cursor.number) continue;
            yield { attempt: chunk.attempt, record };
          }
          cursor = { attempt: chunk.attempt, number: chunk.last_number };
        }
        if (chunks.length < page) return;
      }
    },
    async lastLine(run, within) {
      const row = await (within ?? db)
        .selectFrom('log_attempts')
        .select('last_text')
        .where('run_id', '=', run)
        .where('last_text', 'is not', null)
        .orderBy('attempt', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row?.last_text == null ? null : lastLineOf(row.last_text);
    },
    async delete(run) {
      const chunks = await db
        .selectFrom('log_chunks')
        .select('object')
        .where('run_id', '=', run)
        .where('object', 'is not', null)
        .execute();
      await db.deleteFrom('log_attempts').where('run_id', '=', run).execute();
      for (const { object } of chunks) if (object !== null) await objects.delete(object);
    },
    list: () =>
      db
        .selectFrom('log_attempts')
        .select(({ fn }) => ['run_id as run', fn.max<number>('updated_at').as('modifiedAt')])
        .groupBy('run_id')
        .execute(),
    async tidy(before) {
      // Ended long ago, or its worker is gone: nothing is added any more.
      const quiet = await db
        .selectFrom('log_chunks')
        .innerJoin('log_attempts', (join) =>
          join
            .onRef('log_attempts.run_id', '=', 'log_chunks.run_id')
            .onRef('log_attempts.attempt', '=', 'log_chunks.attempt'),
        )
        .select(['log_chunks.run_id', 'log_chunks.attempt'])
        .distinct()
        .where('records', 'is not', null)
        .where('updated_at', '<', before)
        .limit(10_000)
        .execute();
      for (const { run_id, attempt } of quiet) await moveRecords(options, run_id, attempt);
      return removeUnused(options, before);
    },
    async close() {
      await Promise.all(moving.values());
    },
  };
}

async function lockAttempt(
  tx: Transaction<Database>,
  run: string,
  attempt: number,
  now: number,
): Promise<Attempt> {
  const find = () =>
    tx
      .selectFrom('log_attempts')
      .selectAll()
      .where('run_id', '=', run)
      .where('attempt', '=', attempt)
      .forUpdate();
  const known = await find().executeTakeFirst();
  if (known !== undefined) return known;
  await tx
    .insertInto('log_attempts')
    .values({
      run_id: run,
      attempt,
      last_number: 0,
      bytes: 0,
      last_text: null,
      begun_at: now,
      updated_at: now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return find().executeTakeFirstOrThrow();
}

function lastTextOf(lines: readonly LogLine[]): string | undefined {
  for (const { record } of lines.toReversed()) {
    if (record.k === 'log' && record.m.trim() !== '') return record.m;
  }
  return undefined;
}
