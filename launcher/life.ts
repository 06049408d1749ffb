// The folder of one launcher process, and those that dead ones left behind.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, PoolwrightError } from '../protocol/errors.js';
import { ulidSchema } from '../protocol/topics.js';
import type { LauncherLife } from './executors/executor.js';

/** Name of the file that says which process a folder belongs to. */
const ownerFile = 'owner';

/** Makes the folder of this process. Throws INVALID_SETTINGS when the state folder cannot be written. */
export async function beginLife(stateDirectory: string, id: string): Promise<LauncherLife> {
  const folder = join(stateDirectory, id);
  try {
    // The state folder itself is open to look at: containers reach a run's files through it.
    await mkdir(stateDirectory, { recursive: true, mode: 0o755 });
    await mkdir(folder, { mode: 0o711 });
    await writeFile(join(folder, ownerFile), await processMark(process.pid), { mode: 0o600 });
  } catch (error) {
    throw new PoolwrightError(
      'INVALID_SETTINGS',
      `The launcher's state folder ${stateDirectory} cannot be written (${messageOf(error)}). ` +
        'Give it to this user, or name another one with POOLWRIGHT_STATE_DIR.',
    );
  }
  return { id, folder };
}

/** Folders whose process is no more. */
export async function deadLives(stateDirectory: string, own: string): Promise<LauncherLife[]> {
  const dead: LauncherLife[] = [];
  for (const name of await readdir(stateDirectory)) {
    if (name === own || !ulidSchema.safeParse(name).success) continue;
    const folder = join(stateDirectory, name);
    const owner = await readFile(join(folder, ownerFile), 'utf8').catch(() => '');
    if (owner === '' || (await processMark(Number(owner.split(' ')[0]))) !== owner)
      dead.push({ id: name, folder });
  }
  return dead;
}

export async function endLife({ folder }: LauncherLife): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** Process id and start time (proc(5), field 22), so that a number given to another program is not mistaken. */
async function processMark(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
    return `${String(pid)} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
  } catch {
    // No such process; or no /proc on this system, where then every other folder counts as left behind.
    return pid === process.pid ? String(pid) : '';
  }
}
