// A backup: one tar.gz with objects, logs, tables and secrets, in this order, and at its end the count of all.
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { sql } from 'kysely';
import { extract, pack, type Pack } from 'tar-stream';
import * as z from 'zod';
import { PoolwrightError, messageOf } from '../../protocol/errors.js';
import { newestVersion } from '../store/migrations.js';
import { logBatches } from './migrate.js';
import { secretNames, type Side } from './side.js';
import { rowsOf, tableNames, takeTime } from './tables.js';

const manifestSchema = z.object({ format: z.literal(1), version: z.int().min(1), madeAt: z.int() });
const endSchema = z.object({ entries: z.int() });

export interface BackupEntry {
  readonly name: string;
  /** Whole, or in parts for objects. */
  readonly stream: AsyncIterable<Uint8Array>;
}

/**
 * Writes a backup, mode 0600: complete, or not at all. The tables are those of one moment; an object that is removed
 * after it was listed is left out. Answers how many entries it has.
 */
export async function writeBackup(side: Side, file: string, now: number): Promise<number> {
  const unfinished = `${file}.${randomUUID().slice(0, 8)}.part`;
  const tar = pack();
  const written = pipeline(
    tar,
    createGzip(),
    createWriteStream(unfinished, { mode: 0o600, flags: 'wx', flush: true }),
  );
  try {
    const filled = fill(tar, side, now).catch((error: unknown) => {
      tar.destroy(error instanceof Error ? error : new Error(String(error)));
      throw error;
    });
    const [entries] = await Promise.all([filled, written]);
    await rename(unfinished, file);
    return entries;
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

async function fill(tar: Pack, side: Side, now: number): Promise<number> {
  let entries = 0;
  const add = async (name: string, text: string) => {
    entries += 1;
    await new Promise<void>((resolve, reject) => {
      tar.entry({ name, mode: 0o600 }, text, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  };
  await add('manifest.json', JSON.stringify({ format: 1, version: newestVersion, madeAt: now }));
  const addStores = async () => {
    for (const { id } of await side.objects.list()) if (await addObject(tar, side, id)) entries += 1;
    for (const { run } of await side.logs.list()) {
      let part = 0;
      for await (const { attempt, lines } of logBatches(side.logs, run)) {
        part += 1;
        const name = `logs/${run}/${String(attempt)}/${String(part)}.ndjson`;
        await add(name, lines.map(({ text }) => text).join('\n'));
      }
    }
  };
  // The embedded database does one thing at a time, and nobody else is at work.
  if (!side.concurrent) await addStores();
  await side.db.transaction().execute(async (tx) => {
    // One moment for all tables, before what they refer to is read, also while control planes work.
    await sql`set transaction isolation level repeatable read`.execute(tx);
    await takeTime(tx);
    const tables = await tableNames(tx);
    if (side.concurrent) await addStores();
    for (const table of tables) {
      let part = 0;
      for await (const rows of rowsOf(tx, table)) {
        part += 1;
        await add(`tables/${table}/${String(part)}.ndjson`, rows.join('\n'));
      }
    }
  });
  for (const name of secretNames) {
    const value = await side.secretFiles?.read(name);
    if (value !== undefined) await add(`secrets/${name}`, value);
  }
  await add('end.json', JSON.stringify({ entries }));
  tar.finalize();
  return entries;
}

async function addObject(tar: Pack, side: Side, id: string): Promise<boolean> {
  const found = await side.objects.get(id).catch((error: unknown) => {
    if (error instanceof PoolwrightError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  });
  if (found === undefined) return false;
  await pipeline(found.stream, tar.entry({ name: `objects/${id}`, size: found.size, mode: 0o600 }));
  return true;
}

/**
 * The entries of a backup between manifest and end, each to be read before the next one. Throws INVALID_ARGUMENT for
 * a file that is no backup, of a newer version, or cut off: the last is known only at the end.
 */
export async function* readBackup(file: string): AsyncGenerator<BackupEntry> {
  const tar = extract();
  const fed = pipeline(createReadStream(file), createGunzip(), tar);
  // Whoever reads the entries gets it.
  fed.catch(() => undefined);
  let entries = 0;
  let ended = false;
  try {
    for await (const entry of tar) {
      const { name } = entry.header;
      const stream = bytesOf(entry);
      if (entries === 0) checkManifest(name, await textOf(stream));
      else if (name === 'end.json')
        ended = endSchema.parse(JSON.parse(await textOf(stream))).entries === entries;
      else yield { name, stream };
      entries += 1;
    }
    await fed;
  } catch (error) {
    if (error instanceof PoolwrightError || !isOfArchive(error)) throw error;
    throw damaged(file, messageOf(error), error);
  }
  if (!ended) throw damaged(file, 'its end is missing');
}

/** zlib and tar faults, and files that are not there. */
function isOfArchive(error: unknown): boolean {
  return (
    error instanceof SyntaxError ||
    error instanceof z.ZodError ||
    (error instanceof Error && (/tar|header|end of data|end of file/i.test(error.message) || 'code' in error))
  );
}

function checkManifest(name: string, text: string): void {
  const manifest = name === 'manifest.json' ? manifestSchema.safeParse(JSON.parse(text)) : undefined;
  if (manifest?.success !== true) {
    throw new PoolwrightError(
      'INVALID_ARGUMENT',
      'The file is no backup of a control plane: it does not begin with its manifest.',
    );
  }
  if (manifest.data.version === newestVersion) return;
  throw new PoolwrightError(
    'INVALID_ARGUMENT',
    `The backup is of database version ${String(manifest.data.version)}, this program of ${String(newestVersion)}. ` +
      'Restore it with the version that made it, then start the newer one.',
  );
}

/** The library types what it gives as unknown; a tar's entries are bytes. */
async function* bytesOf(entry: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const part of entry) yield part as Uint8Array;
}

export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString();
}

function damaged(file: string, why: string, cause?: unknown): PoolwrightError {
  return new PoolwrightError(
    'INVALID_ARGUMENT',
    `The backup ${file} cannot be read: ${why}. Nothing was restored.`,
    { cause },
  );
}
