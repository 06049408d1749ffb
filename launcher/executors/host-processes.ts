// The processes of a run on this machine, found by a mark in their environment, also when they left the process group,
// and by the run's control group where it has one.
import { readdir, readFile } from 'node:fs/promises';
import { ifThere } from '../absent.js';
import { sleep, type Clock } from '../clock.js';
import { membersOf } from './host-groups.js';

/** Name of the variable that every process of a run has. Its value begins with what `markOf` gives. */
export const markVariable = 'POOLWRIGHT_WORLD';

/** `life`: id of the worker whose run it is. */
export function markOf(life: string, { run, attempt }: Attempt): string {
  return `${life}.${run}.${String(attempt)}`;
}

interface Attempt {
  readonly run: string;
  readonly attempt: number;
}

/** Ids of processes whose mark begins with `prefix`. Others' processes, which cannot be looked at, are none of ours. */
export async function markedProcesses(prefix: string): Promise<number[]> {
  const wanted = Buffer.from(`${markVariable}=${prefix}`);
  const found: number[] = [];
  // A system without it is one on which launchers do not find each other's processes.
  for (const name of await ifThere(readdir('/proc'), [])) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const environment = await readFile(`/proc/${name}/environ`).catch(() => undefined);
    if (environment?.includes(wanted) === true) found.push(pid);
  }
  return found;
}

/** Where processes of a run are looked for. */
export interface Traces {
  /** Their mark begins with it. */
  readonly prefix: string;
  /** Control groups that they are in. */
  readonly groups: readonly string[];
  /** A process group (setpgid(2)) of theirs. */
  readonly processGroup?: number | undefined;
}

/** Ids of processes with one of the traces, those of the process group left out. */
export async function tracedProcesses({ prefix, groups }: Traces): Promise<number[]> {
  const found = await Promise.all([markedProcesses(prefix), ...groups.map(membersOf)]);
  return [...new Set(found.flat())].filter((pid) => pid !== process.pid);
}

/**
 * Ends all processes that are found: SIGTERM, then SIGKILL to those that are still there after `grace` milliseconds.
 * Resolves when none is left. Answers how many there were.
 */
export async function endTraced(traces: Traces, clock: Clock, grace: number): Promise<number> {
  const first = await signalAll(traces, 'SIGTERM');
  if (first === 0) return 0;
  const end = clock.monotonic() + grace;
  for (let wait = 5; ; wait = Math.min(wait * 2, 100)) {
    const left = await signalAll(traces, clock.monotonic() < end ? 0 : 'SIGKILL');
    if (left === 0) return first;
    await sleep(clock, wait);
  }
}

/**
 * Ends a process that leads its group, and all that it has started, at once: by the group, and by its mark what has left the
 * group. The group is not asked whether it is empty: with nobody to reap them, as in a container, its dead stay in it.
 */
export async function killTraced(
  { prefix, leader }: { readonly prefix: string; readonly leader: number | undefined },
  clock: Clock,
): Promise<void> {
  if (leader !== undefined) send(-leader, 'SIGKILL');
  await endTraced({ prefix, groups: [] }, clock, 0);
}

async function signalAll(traces: Traces, signal: NodeJS.Signals | 0): Promise<number> {
  const found = await tracedProcesses(traces);
  const hits = found.filter((pid) => send(pid, signal)).length;
  const groupHit = traces.processGroup !== undefined && send(-traces.processGroup, signal);
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
