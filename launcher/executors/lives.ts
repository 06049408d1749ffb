// Which executors a worker's life had: a launcher that was killed may be followed by one that executes elsewhere, and
// what the first one started is still there.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Executor, LauncherLife } from './executor.js';

type Kind = Executor['kind'];

const prefix = 'executor.';

/** Before anything is executed. */
export async function noteExecutor({ folder }: LauncherLife, kind: Kind): Promise<void> {
  await writeFile(join(folder, prefix + kind), '', { mode: 0o600 });
}

export async function hadExecutor({ folder }: LauncherLife, kind: Kind): Promise<boolean> {
  const names = await readdir(folder).catch((): string[] => []);
  return names.includes(prefix + kind);
}

/** `chosen`, which also sweeps up what lives with the other executor left. */
export function sweepingBoth(chosen: Executor, other: Executor): Executor {
  return {
    ...chosen,
    async sweep(dead) {
      const elsewhere: LauncherLife[] = [];
      for (const life of dead) if (await hadExecutor(life, other.kind)) elsewhere.push(life);
      const ended = await chosen.sweep(dead);
      return elsewhere.length === 0 ? ended : ended + (await other.sweep(elsewhere));
    },
  };
}
