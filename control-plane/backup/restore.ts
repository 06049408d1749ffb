// Puts a backup where nothing is: into a new data folder, or into an empty database with its object store.
import { existsSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import type { Transaction } from 'kysely';
import { PoolwrightError } from '../../protocol/errors.js';
import { parseAs, parseJson } from '../../protocol/wire.js';
import { spoolRecordSchema } from '../../protocol/worker-api.js';
import { systemClock } from '../clock.js';
import type { Places } from '../foundation.js';
import type { Database } from '../store/schema.js';
import { readBackup, textOf, type BackupEntry } from './archive.js';
import { openSide, secretNames, type Side } from './side.js';
import { emptyTables, insertRows, isUnused, tableNames, takeTime } from './tables.js';

export interface RestoreReport {
  readonly rows: number;
  readonly objects: number;
  readonly logParts: number;
}

type Progress = (line: string) => void;

/**
 * Without `databaseUrl` the folder must be missing or empty; it is there only when all is in it. Throws
 * INVALID_ARGUMENT for the file, DATA_DIR_UNUSABLE or DATABASE_UNUSABLE for a place that is not empty.
 */
export async function restoreBackup(
  file: string,
  folder: string,
  places: Places,
  onProgress: Progress,
): Promise<RestoreReport> {
  if (places.databaseUrl !== undefined) return fillSide(file, folder, places, onProgress);
  if (existsSync(folder) && (await readdir(folder)).length > 0) {
    throw new PoolwrightError(
      'DATA_DIR_UNUSABLE',
      `The folder ${folder} is not empty. Expected one that is not there yet.`,
    );
  }
  const unfinished = `${folder}.restoring`;
  await rm(unfinished, { recursive: true, force: true });
  const report = await fillSide(file, unfinished, places, onProgress);
  await rm(folder, { recursive: true, force: true });
  await rename(unfinished, folder);
  return report;
}

async function fillSide(
  file: string,
  folder: string,
  places: Places,
  onProgress: Progress,
): Promise<RestoreReport> {
  const side = await openSide(folder, places, { presence: 'alone', onProgress });
  try {
    if (!(await isUnused(side.db))) {
      throw new PoolwrightError(
        'DATABASE_UNUSABLE',
        'The database is not empty. Expected one that no control plane has worked with.',
      );
    }
    return await fill(side, file);
  } finally {
    await side.close();
  }
}

/** Tables and secrets in one transaction, which ends with the file: a file that is cut off leaves none. */
async function fill(side: Side, file: string): Promise<RestoreReport> {
  let [rows, objects, logParts] = [0, 0, 0];
  const secrets: (readonly [string, string])[] = [];
  const entries = readBackup(file);
  // What comes before the tables is harmless alone, and is stored outside the transaction.
  let next = await entries.next();
  for (; next.done !== true && !next.value.name.startsWith('tables/'); next = await entries.next()) {
    if (next.value.name.startsWith('objects/')) objects += await restoreObject(side, next.value);
    else if (next.value.name.startsWith('logs/')) logParts += await restoreLog(side, next.value);
  }
  await side.db.transaction().execute(async (tx) => {
    await takeTime(tx);
    await emptyTables(tx, await tableNames(tx));
    for (; next.done !== true; next = await entries.next()) {
      const { name, stream } = next.value;
      if (name.startsWith('tables/')) rows += await restoreRows(tx, name, await textOf(stream));
      else if (name.startsWith('secrets/'))
        secrets.push([name.slice('secrets/'.length), await textOf(stream)]);
    }
    await restoreSecrets(tx, side, secrets);
  });
  return { rows, objects, logParts };
}

async function restoreObject(side: Side, { name, stream }: BackupEntry): Promise<number> {
  await side.objects.put(name.slice('objects/'.length), stream, Infinity);
  return 1;
}

async function restoreLog(side: Side, { name, stream }: BackupEntry): Promise<number> {
  const [, run = '', attempt = ''] = name.split('/');
  const lines = (await textOf(stream)).split('\n').map((text) => {
    const what = `A record of run ${run}`;
    return { record: parseAs(spoolRecordSchema, parseJson(Buffer.from(text), what), what), text };
  });
  await side.logs.append(run, Number(attempt), lines);
  return 1;
}

async function restoreRows(tx: Transaction<Database>, name: string, text: string): Promise<number> {
  const rows = text.split('\n');
  await insertRows(tx, name.split('/')[1] ?? '', rows);
  return rows.length;
}

/** Into files or the table, wherever this side keeps them; wherever they came from. */
async function restoreSecrets(
  tx: Transaction<Database>,
  side: Side,
  files: readonly (readonly [string, string])[],
): Promise<void> {
  if (side.secretFiles === null) {
    for (const [name, value] of files) {
      const closed = side.secretBox.close(name, value);
      await tx.insertInto('secrets').values({ name, value: closed, created_at: systemClock.now() }).execute();
    }
    return;
  }
  const stored = await tx
    .selectFrom('secrets')
    .select(['name', 'value'])
    .where('name', 'in', [...secretNames])
    .execute();
  // Of a database whose secrets are sealed: a folder keeps them in files, for which the key is needed once.
  const opened = stored.map(({ name, value }) => [name, side.secretBox.open(name, value)] as const);
  for (const [name, value] of opened) await side.secretFiles.write(name, value);
  for (const [name, value] of files) await side.secretFiles.write(name, value);
  await tx.deleteFrom('secrets').execute();
}
