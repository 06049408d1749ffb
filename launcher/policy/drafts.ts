// Takes away what launchers that were killed while they unpacked the policy engine have left of it.
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { processMark } from '../process-mark.js';

/** Milliseconds; unpacking takes a second. A launcher in another container may share the folder, and its process is not seen. */
const longEnough = 60_000;

/** The name under which a process unpacks to `path`. */
export function draftOf(path: string, pid: number): string {
  return `${path}.${String(pid)}`;
}

/** `name`: of the engine, with which its files' names begin. `now`: Unix milliseconds. What cannot be removed stays. */
export async function removeDrafts(folder: string, name: string, now: number): Promise<void> {
  for (const file of await readdir(folder).catch(() => [])) {
    const [, pid] = new RegExp(`^${name}-[0-9a-f]{16}\\.(\\d+)$`).exec(file) ?? [];
    const mark =
      pid === undefined ? undefined : await processMark(Number(pid)).catch(() => 'it cannot be told');
    if (mark !== '') continue;
    const path = join(folder, file);
    // Gone meanwhile when its launcher has just finished it.
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }));
    if (now - mtimeMs > longEnough) await rm(path, { force: true }).catch(() => undefined);
  }
}
