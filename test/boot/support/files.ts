// Folders that live longer than one test.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'poolwright-boot-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
