// Records of logs on their way from the database, where they are first kept, to the object store.
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Kysely, Selectable } from 'kysely';
import type { Ids } from '../clock.js';
import type { ObjectStore } from './objects.js';
import type { LogChunksTable } from './run-tables.js';
import type { Database } from './schema.js';

interface Stores {
  readonly db: Kysely<Database>;
  readonly objects: ObjectStore;
}

type Chunk = Selectable<LogChunksTable>;

/** Bytes of records that go into one object at most, before they are compressed. */
const objectMaximum = 8 * 1024 * 1024;
const pack = promisify(gzip);

class Moved extends Error {}

/** Moves what is in the database of an attempt. Another process may do the same: then the later one gives up. */
export async function moveRecords(
  { db, objects, ids }: Stores & { readonly ids: Ids },
  run: string,
  attempt: number,
): Promise<void> {
  for (;;) {
    const rows = await inline(db, run, attempt);
    const [first] = rows;
    const last = rows.at(-1);
    if (first === undefined || last === undefined) return;
    const id = ids.next();
    const packed = await pack(rows.map(({ records }) => `${records ?? ''}\n`).join(''));
    await objects.put(id, Readable.from([packed]), Infinity);
    try {
      await db.transaction().execute(async (tx) => {
        const removed = await tx
          .deleteFrom('log_chunks')
          .where('run_id', '=', run)
          .where('attempt', '=', attempt)
          .where('records', 'is not', null)
          .where('first_number', '>=', first.first_number)
          .where('first_number', '<=', last.first_number)
          .returning('first_number')
          .execute();
        if (removed.length !== rows.length) throw new Moved();
        await tx
          .insertInto('log_chunks')
          .values({
            run_id: run,
            attempt,
            first_number: first.first_number,
            last_number: last.last_number,
            bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0),
            records: null,
            object: id,
          })
          .execute();
      });
    } catch (error) {
      // Of any other fault it is not known whether the change was made all the same, as when a connection ends before it is
      // answered. An object that nothing names goes with the garbage; one that is named must stay.
      if (!(error instanceof Moved)) throw error;
      await objects.delete(id);
      return;
    }
  }
}

/**
 * Objects from before `before` (Unix milliseconds) of a move that was killed half-way, or of a run whose log was removed by a
 * process that was. Answers how many there were.
 */
export async function removeUnused({ db, objects }: Stores, before: number): Promise<number> {
  const old = (await objects.list()).filter(({ modifiedAt }) => modifiedAt < before);
  if (old.length === 0) return 0;
  const rows = await db.selectFrom('log_chunks').select('object').where('object', 'is not', null).execute();
  const used = new Set(rows.map(({ object }) => object));
  const unused = old.filter(({ id }) => !used.has(id));
  for (const { id } of unused) await objects.delete(id);
  return unused.length;
}

/** The oldest pieces in the database, as many as fit into one object. */
async function inline(db: Kysely<Database>, run: string, attempt: number): Promise<Chunk[]> {
  const sizes = await db
    .selectFrom('log_chunks')
    .select(['first_number', 'bytes'])
    .where('run_id', '=', run)
    .where('attempt', '=', attempt)
    .where('records', 'is not', null)
    .orderBy('first_number')
    .execute();
  let size = 0;
  const fitting = sizes.filter(({ bytes }, index) => {
    size += bytes;
    return index === 0 || size <= objectMaximum;
  });
  const last = fitting.at(-1);
  if (last === undefined) return [];
  return db
    .selectFrom('log_chunks')
    .selectAll()
    .where('run_id', '=', run)
    .where('attempt', '=', attempt)
    .where('records', 'is not', null)
    .where('first_number', '<=', last.first_number)
    .orderBy('first_number')
    .execute();
}
