// What a folder of things with ULIDs for names holds.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ulidSchema } from '../../protocol/topics.js';

export interface Entry {
  readonly name: string;
  /** Unix milliseconds. */
  readonly modifiedAt: number;
}

/** Entries that go while they are looked at are left out, and so is a folder that is not there yet. */
export async function entriesOf(folder: string): Promise<Entry[]> {
  const names = await readdir(folder).catch(nothing);
  const found: Entry[] = [];
  for (const name of names ?? []) {
    if (!ulidSchema.safeParse(name).success) continue;
    const stats = await stat(join(folder, name)).catch(nothing);
    if (stats !== undefined) found.push({ name, modifiedAt: stats.mtimeMs });
  }
  return found;
}

function nothing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
