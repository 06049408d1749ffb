// One process per data folder. The lock names its holder by process id and start time, so that a holder that
// was killed is recognised at once, also when its process id has been given to another program since.
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PoolwrightError } from '../../protocol/errors.js';

export interface FolderLock {
  release(): Promise<void>;
}

/** Takes the lock of a data folder, made if it is not there. Throws DATA_DIR_UNUSABLE. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const file = join(folder, 'lock');
  const own = `${String(process.pid)} ${await startTime(process.pid)}\n`;
  const candidate = join(folder, `.lock-${String(process.pid)}`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(candidate, own, { mode: 0o600 });
  } catch (error) {
    throw new PoolwrightError(
      'DATA_DIR_UNUSABLE',
      `The data folder ${folder} cannot be written (${codeOf(error)}). ` +
        'Give a folder that this user may write, with --data-dir.',
      { cause: error },
    );
  }
  try {
    for (let tries = 0; tries < 3; tries += 1) {
      if (await linked(candidate, file)) return { release: () => rm(file, { force: true }) };
      const holder = await readFile(file, 'utf8').catch(() => '');
      const [pid, started] = holder.trim().split(' ');
      if (pid !== undefined && pid !== '' && (await startTime(Number(pid))) === started) {
        throw new PoolwrightError(
          'DATA_DIR_UNUSABLE',
          `The data folder ${folder} is in use by process ${pid}. End that process, or give another folder with --data-dir.`,
        );
      }
      await rm(file, { force: true });
    }
  } finally {
    await rm(candidate, { force: true });
  }
  throw new PoolwrightError(
    'DATA_DIR_UNUSABLE',
    `The data folder ${folder} is being taken by another process.`,
  );
}

/** Linking either makes the whole lock at once or finds another's: no half-written lock can be seen. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Clock ticks from boot to the start of a process (proc(5), field 22); '' when there is no such process. */
async function startTime(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
    // The second field is the program's name in brackets and may itself hold brackets and blanks.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    // No /proc on this system: the id alone has to do.
    return isAlive(pid) ? 'running' : '';
  }
}

function isAlive(pid: number): boolean {
  if (process.platform === 'linux' || !Number.isInteger(pid)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
