// What makes a launcher's machine one of its own: a small disk that can be full, and a clock that can jump.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Room for a few runs; a launcher takes none with less than 128 MB. */
const diskSize = '192m';

export interface Machine {
  /** For the programs on it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Its clock is so many seconds ahead from now on; 0 sets it right. */
  setClock(seconds: number): Promise<void>;
  /** Takes all that is left of its disk. */
  fillDisk(): Promise<void>;
  freeDisk(): Promise<void>;
  /** Its disk is gone. `keep`: what was on it stays in a folder beside. */
  close(keep?: boolean): Promise<void>;
}

/** Where libraries are, by the machine's architecture. */
const libraries = '/usr/lib';

/** Debian's libfaketime, for programs that are started with it. */
export function fakeTimeLibrary(): string | undefined {
  return readdirSync(libraries)
    .map((name) => join(libraries, name, 'faketime', 'libfaketime.so.1'))
    .find((path) => existsSync(path));
}

/** Whether disks of a size can be had. */
export function canMount(scratch: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', scratch], { stdio: 'ignore' });
    execFileSync('umount', [scratch]);
    return true;
  } catch {
    // Not root, or not allowed here.
    return false;
  }
}

/** `disk`: where its disk is mounted; `clock`: a file of its own. Absolute. */
export async function createMachine({
  disk,
  clock,
}: {
  readonly disk: string;
  readonly clock: string;
}): Promise<Machine> {
  const library = fakeTimeLibrary();
  if (library === undefined) throw new Error('There is no libfaketime');
  const filler = join(disk, '.full');
  const setClock = (seconds: number) => writeFile(clock, `${seconds < 0 ? '' : '+'}${String(seconds)}s\n`);
  await setClock(0);
  await mkdir(disk, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${diskSize},mode=755`, 'tmpfs', disk]);

  async function freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(disk);
    return bavail * bsize;
  }

  return {
    environment: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: clock,
      // Looked at with every question for the time, and never for how long something took.
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    },
    setClock,
    async fillDisk() {
      // Whoever frees or takes room at the same time is the reason for another try.
      for (let size = 0, tries = 0; tries < 5; tries += 1) {
        const left = await freeBytes();
        if (left === 0) return;
        size += left;
        await run('fallocate', ['--length', String(size), filler]).catch(() => undefined);
      }
    },
    freeDisk: () => rm(filler, { force: true }),
    async close(keep = false) {
      await rm(filler, { force: true });
      if (keep) await cp(disk, `${disk}.kept`, { recursive: true, errorOnExist: false });
      await removeShared();
      // Lazily: a process that still has a file there does not keep it.
      await run('umount', ['--lazy', disk]);
    },
  };
}

/** What libfaketime shares between the threads of a process stays behind when that is killed: of all that are no more. */
async function removeShared(): Promise<void> {
  for (const name of await readdir('/dev/shm')) {
    const pid = /^(?:sem\.faketime_sem|faketime_shm)_(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await rm(join('/dev/shm', name), { force: true });
  }
}
