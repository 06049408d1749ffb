// Moves everything from a data folder to PostgreSQL and, if named, an object store. A move that is interrupted is
// continued by calling it again; until it is complete, no control plane starts on either side.
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import { writeSecretFile } from '../access/secrets.js';
import { randomIds, systemClock } from '../clock.js';
import type { Places } from '../foundation.js';
import { movedFile, movingFile } from '../store/moved.js';
import type { LogStore } from '../store/logs.js';
import type { Database } from '../store/schema.js';
import { openSide, secretNames, type Side } from './side.js';
import { emptyTables, insertRows, isUnused, rowsOf, tableNames, takeTime } from './tables.js';

/** Name of the move, among the secrets of the database that it went to. */
const moveName = 'moved-from-data-folder';

export interface MoveReport {
  /** Rows by table. */
  readonly rows: Readonly<Record<string, number>>;
  readonly objects: number;
  /** Runs whose log was copied. */
  readonly logs: number;
}

type Progress = (line: string) => void;

/**
 * Logs and objects stay in the folder unless `places` names an object store. Throws DATA_DIR_UNUSABLE while a
 * control plane uses the folder, CONFLICT when it was moved already, DATABASE_UNUSABLE for a database in use or
 * not empty, and what opening the places throws.
 */
export async function migrateFolder(
  folder: string,
  places: Places & { readonly databaseUrl: string },
  onProgress: Progress,
): Promise<MoveReport> {
  if (!existsSync(join(folder, 'database'))) {
    throw new PoolwrightError(
      'DATA_DIR_UNUSABLE',
      `There is no database in ${folder}. Name the folder of a control plane.`,
    );
  }
  if (existsSync(join(folder, movedFile))) {
    throw new PoolwrightError('CONFLICT', `What was in ${folder} was moved to a database already.`);
  }
  const from = await openSide(folder, {}, { presence: 'alone', onProgress });
  try {
    const withObjects = places.objectStoreUrl !== undefined;
    // The folder is locked: what is opened of it for the other side are logs and objects that stay.
    const to = await openTarget(folder, places, onProgress);
    try {
      return await move(folder, from, to, withObjects, onProgress);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

/** Alone, even where control planes would share it. Without an object store only its database is used. */
function openTarget(
  folder: string,
  places: Places & { readonly databaseUrl: string },
  onProgress: Progress,
): Promise<Side> {
  const objectStoreUrl = places.objectStoreUrl ?? `file://${join(folder, 'unused')}`;
  return openSide(folder, { ...places, objectStoreUrl }, { presence: 'alone', onProgress });
}

async function move(
  folder: string,
  from: Side,
  to: Side,
  withObjects: boolean,
  onProgress: Progress,
): Promise<MoveReport> {
  const marker = join(folder, movingFile);
  const id = existsSync(marker) ? await readFile(marker, 'utf8') : randomIds.next();
  if (await isComplete(to.db, id)) {
    await markMoved(folder, id);
    return { rows: {}, objects: 0, logs: 0 };
  }
  if (!(await isUnused(to.db))) {
    throw new PoolwrightError(
      'DATABASE_UNUSABLE',
      'The database at DATABASE_URL is not empty. Expected one that no control plane has worked with: make a new one.',
    );
  }
  await writeSecretFile(marker, id);
  // These may be sent twice; the tables all come at once, with the mark that the move is complete.
  const objects = withObjects ? await copyObjects(from, to, onProgress) : 0;
  const logs = withObjects ? await copyLogs(from, to, onProgress) : 0;
  const rows = await copyTables(from, to, id, onProgress);
  await markMoved(folder, id);
  return { rows, objects, logs };
}

async function isComplete(db: Kysely<Database>, id: string): Promise<boolean> {
  const row = await db.selectFrom('secrets').select('value').where('name', '=', moveName).executeTakeFirst();
  return row?.value === id;
}

async function markMoved(folder: string, id: string): Promise<void> {
  await writeSecretFile(join(folder, movedFile), id);
  await rm(join(folder, movingFile), { force: true });
}

async function copyObjects(from: Side, to: Side, onProgress: Progress): Promise<number> {
  const all = await from.objects.list();
  for (const [index, { id }] of all.entries()) {
    await to.objects.put(id, (await from.objects.get(id)).stream, Infinity);
    if ((index + 1) % 100 === 0) onProgress(`objects: ${String(index + 1)} of ${String(all.length)}`);
  }
  return all.length;
}

async function copyLogs(from: Side, to: Side, onProgress: Progress): Promise<number> {
  const all = await from.logs.list();
  for (const [index, { run }] of all.entries()) {
    for await (const { attempt, lines } of logBatches(from.logs, run))
      await to.logs.append(run, attempt, lines);
    if ((index + 1) % 100 === 0) onProgress(`logs: ${String(index + 1)} of ${String(all.length)}`);
  }
  await to.logs.tidy(Number.MAX_SAFE_INTEGER);
  return all.length;
}

/** Records at a time. */
const logBatch = 2000;
type Lines = Parameters<LogStore['append']>[2];

/** The log of a run in batches as `append` takes them. */
export async function* logBatches(
  logs: LogStore,
  run: string,
): AsyncGenerator<{ readonly attempt: number; readonly lines: Lines }> {
  let lines: Lines[number][] = [];
  let of = 0;
  for await (const { attempt, record } of logs.read(run)) {
    if (lines.length > 0 && (attempt !== of || lines.length >= logBatch)) {
      yield { attempt: of, lines };
      lines = [];
    }
    of = attempt;
    lines.push({ record, text: JSON.stringify(record) });
  }
  if (lines.length > 0) yield { attempt: of, lines };
}

async function copyTables(
  from: Side,
  to: Side,
  id: string,
  onProgress: Progress,
): Promise<Record<string, number>> {
  const tables = await tableNames(from.db);
  const counts: Record<string, number> = {};
  const created_at = systemClock.now();
  await from.db.transaction().execute((reading) =>
    to.db.transaction().execute(async (writing) => {
      await takeTime(writing);
      await emptyTables(writing, tables);
      for (const table of tables) {
        let count = 0;
        for await (const rows of rowsOf(reading, table)) {
          await insertRows(writing, table, rows);
          count += rows.length;
        }
        counts[table] = count;
        onProgress(`${table}: ${String(count)}`);
      }
      for (const name of secretNames) {
        const value = await from.secretFiles?.read(name);
        if (value !== undefined)
          await writing
            .insertInto('secrets')
            .values({ name, value: to.secretBox.close(name, value), created_at })
            .execute();
      }
      await writing.insertInto('secrets').values({ name: moveName, value: id, created_at }).execute();
    }),
  );
  return counts;
}
