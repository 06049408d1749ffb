// A folder for what a command unpacks: nothing of it stays.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function inTemporaryFolder<Answer>(use: (folder: string) => Promise<Answer>): Promise<Answer> {
  const folder = await mkdtemp(join(tmpdir(), 'launcher-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
