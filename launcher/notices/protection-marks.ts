// Files that say for which launchers of this machine it is protected from scale-in: the protection is the machine's, and
// launchers may share one. They also tell the next launcher what one that was killed has left.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ifThere } from '../absent.js';
import { isAlive, processMark } from '../process-mark.js';

export interface ProtectionMarks {
  /** Whether a launcher that is no more has left the machine protected, as it was when these were opened. */
  readonly left: boolean;
  /** This launcher has a run. To be said before the protection is asked for. */
  set(): Promise<void>;
  /** Its run is over, and the protection is about to be taken off. Does nothing when it has no mark. */
  over(): Promise<void>;
  /** Whether another launcher has a run. */
  ofOthers(): Promise<boolean>;
  /** The protection is off, or others': takes away this launcher's mark and those of launchers that are no more. */
  clear(): Promise<void>;
}

/** `folder`: the state folder. `pid`: of this process. `protected` alone is what earlier versions have left. */
export async function openProtectionMarks(folder: string, pid = process.pid): Promise<ProtectionMarks> {
  const own = `protected.${String(pid)}`;
  const ownOver = `${own}.over`;

  async function read(): Promise<{ readonly name: string; readonly alive: boolean }[]> {
    const names = (await ifThere(readdir(folder), [])).filter((name) =>
      /^protected(\.\d+(\.over)?)?$/.test(name),
    );
    return Promise.all(
      names.map(async (name) => ({
        name,
        alive: await isAlive(await ifThere(readFile(join(folder, name), 'utf8'), '')),
      })),
    );
  }

  const left = (await read()).some(({ alive }) => !alive);
  return {
    left,
    async set() {
      // Whole from the first moment: half a mark would be that of nobody.
      const draft = join(folder, `.new-${own}`);
      await mkdir(folder, { recursive: true, mode: 0o755 });
      await writeFile(draft, await processMark(pid), { mode: 0o600 });
      await rename(draft, join(folder, own));
      await rm(join(folder, ownOver), { force: true });
    },
    over: () => ifThere(rename(join(folder, own), join(folder, ownOver)), undefined),
    async ofOthers() {
      return (await read()).some(({ name, alive }) => alive && name !== own && !name.endsWith('.over'));
    },
    async clear() {
      for (const { name, alive } of await read())
        if (!alive || name === own || name === ownOver) await rm(join(folder, name), { force: true });
    },
  };
}
