// The processes of a run on this machine, found by a mark in their environment: also those that left the group.
import { readdir, readFile } from 'node:fs/promises';
import { sleep, type Clock } from '../clock.js';

/** Name of the variable that every process of a run has. Its value is `<life>.<run>.<attempt>`. */
export const markVariable = 'POOLWRIGHT_WORLD';

/** Ids of processes whose mark begins with `prefix`. Others' processes, which cannot be looked at, are none of ours. */
export async function markedProcesses(prefix: string): Promise<number[]> {
  const wanted = Buffer.from(`${markVariable}=${prefix}`);
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const environment = await readFile(`/proc/${name}/environ`).catch(() => undefined);
    if (environment?.includes(wanted) === true) found.push(pid);
  }
  return found;
}

/**
 * Ends all processes of a mark, and of the group `group` where one is given: SIGTERM, then SIGKILL to those that
 * are still there after `grace` milliseconds. Resolves when none is left. Answers how many there were.
 */
export async function endMarked(
  prefix: string,
  clock: Clock,
  grace: number,
  group?: number,
): Promise<number> {
  const first = await signalAll(prefix, 'SIGTERM', group);
  if (first === 0) return 0;
  const end = clock.monotonic() + grace;
  for (let wait = 5; ; wait = Math.min(wait * 2, 100)) {
    const left = await signalAll(prefix, clock.monotonic() < end ? 0 : 'SIGKILL', group);
    if (left === 0) return first;
    await sleep(clock, wait);
  }
}

async function signalAll(
  prefix: string,
  signal: NodeJS.Signals | 0,
  group: number | undefined,
): Promise<number> {
  const marked = await markedProcesses(prefix);
  const hits = marked.filter((pid) => send(pid, signal)).length;
  const groupHit = group !== undefined && send(-group, signal);
  return hits === 0 && groupHit ? 1 : hits;
}

/** Whether there was somebody to get it. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM'))
      return false;
    throw error;
  }
}
