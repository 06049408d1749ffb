// The folder of one worker's life: made by a launcher process, and taken over by the next one when that process was
// killed in the middle of a run. `owner.<n>` names the n-th process that it belongs to; only one can make each.
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, PoolwrightError } from '../protocol/errors.js';
import { ulidSchema } from '../protocol/topics.js';
import { ifThere } from './absent.js';
import type { LauncherLife } from './executors/executor.js';
import { isAlive, processMark } from './process-mark.js';
import { holdsAttempt } from './run/record.js';

/** A run that a dead process was in the middle of. */
export interface LeftAttempt {
  readonly run: string;
  readonly attempt: number;
  /** Absolute. */
  readonly folder: string;
}

/** A life whose process is no more. */
export interface DeadLife extends LauncherLife {
  /** The newest first; more than one only when a folder could not be removed. */
  readonly attempts: readonly LeftAttempt[];
}

/** Makes the folder of a new life. Throws INVALID_SETTINGS when the state folder cannot be written. */
export async function beginLife(stateDirectory: string, id: string): Promise<LauncherLife> {
  const folder = join(stateDirectory, id);
  const unnamed = join(stateDirectory, `.new-${id}`);
  try {
    // The state folder itself is open to look at: containers reach a run's files through it.
    await mkdir(stateDirectory, { recursive: true, mode: 0o755 });
    await mkdir(unnamed, { mode: 0o711 });
    await writeFile(join(unnamed, 'owner.1'), await processMark(process.pid), { mode: 0o600 });
    // Nobody sees it without its owner and takes it for one that was left behind.
    await rename(unnamed, folder);
  } catch (error) {
    throw new PoolwrightError(
      'INVALID_SETTINGS',
      `The launcher's state folder ${stateDirectory} cannot be written (${messageOf(error)}). ` +
        'Give it to this user, or name another one with POOLWRIGHT_STATE_DIR.',
    );
  }
  return { id, folder };
}

/**
 * Lives whose process is no more. Empty when there is no state folder yet. One that cannot be read is told and left alone:
 * its launcher may be there, and a run in it.
 */
export async function deadLives(
  stateDirectory: string,
  onFault: (message: string) => void = () => undefined,
): Promise<DeadLife[]> {
  const dead: DeadLife[] = [];
  for (const name of await ifThere(readdir(stateDirectory), [])) {
    if (!ulidSchema.safeParse(name).success) continue;
    const folder = join(stateDirectory, name);
    try {
      const { mark } = await ownerOf(folder);
      if (await isAlive(mark)) continue;
      dead.push({ id: name, folder, attempts: await attemptsIn(folder) });
    } catch (error) {
      onFault(
        `${folder} cannot be read (${messageOf(error)}), so it is left alone: a launcher may be at work there. ` +
          'Remove it when none is.',
      );
    }
  }
  return dead;
}

/** Makes a dead life this process's own. Answers whether it did: another process may have been first. */
export async function claimLife({ folder }: LauncherLife): Promise<boolean> {
  const { number, mark } = await ownerOf(folder);
  if (await isAlive(mark)) return false;
  const draft = join(folder, `claim.${String(process.pid)}`);
  try {
    await writeFile(draft, await processMark(process.pid), { mode: 0o600 });
    await link(draft, join(folder, `owner.${String(number + 1)}`));
    await rm(draft);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    await rm(draft, { force: true });
    // Taken over by another process, or removed by it.
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    throw error;
  }
}

export async function endLife({ folder }: LauncherLife): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}

/** The process that made the newest `owner` file; an empty mark when there is none. */
async function ownerOf(folder: string): Promise<{ number: number; mark: string }> {
  const names = await ifThere(readdir(folder), []);
  const numbers = names.map((name) => Number(/^owner\.(\d+)$/.exec(name)?.[1] ?? 0));
  const number = Math.max(0, ...numbers);
  const mark = await ifThere(readFile(join(folder, `owner.${String(number)}`), 'utf8'), '');
  return { number, mark };
}

async function attemptsIn(folder: string): Promise<LeftAttempt[]> {
  const found: (LeftAttempt & { readonly changedAt: number })[] = [];
  for (const name of await ifThere(readdir(folder), [])) {
    const [run = '', number = ''] = name.split('.');
    if (!ulidSchema.safeParse(run).success || !/^\d+$/.test(number)) continue;
    const path = join(folder, name);
    const changedAt = (await holdsAttempt(path))
      ? (await ifThere(stat(path), undefined))?.mtimeMs
      : undefined;
    if (changedAt !== undefined) found.push({ run, attempt: Number(number), folder: path, changedAt });
  }
  return found.sort((a, b) => b.changedAt - a.changedAt);
}
