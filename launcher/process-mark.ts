// Names a process so that it is not mistaken for a later one with the same number.
import { readFile } from 'node:fs/promises';
import { ifThere } from './absent.js';

/**
 * Process id, start time (proc(5), field 22) and the machine's start, so that a number given to another program is
 * not mistaken. Empty when there is no such process; rejects when that cannot be told.
 */
export async function processMark(pid: number): Promise<string> {
  const status = await ifThere(readFile(`/proc/${String(pid)}/stat`, 'utf8'), undefined);
  const boot = await ifThere(readFile('/proc/sys/kernel/random/boot_id', 'utf8'), undefined);
  // No such process; or no /proc on this system, where then every other process counts as gone.
  if (status === undefined || boot === undefined) return pid === process.pid ? String(pid) : '';
  const start = status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  return `${String(pid)} ${start} ${boot.trim()}`;
}

/** Whether the process that a mark names is still there. */
export async function isAlive(mark: string): Promise<boolean> {
  return mark !== '' && (await processMark(Number(mark.split(' ')[0]))) === mark;
}
