// How a step ended, from the exit code that the shell told and what the kernel did meanwhile.
import { constants } from 'node:os';
import { readFile } from 'node:fs/promises';
import type { StepEnd } from './executor.js';
import type { StepOutcome } from './step-output.js';

/** How many processes the kernel has killed since its start because memory ran out. */
export type Kills = () => Promise<number>;

/** From /proc/vmstat (proc(5), since Linux 4.13); 0 where there is none. */
export const kernelKills: Kills = async () => {
  const text = await readFile('/proc/vmstat', 'utf8').catch(() => '');
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
};

const signals = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** `memoryRanOut`: the kernel has killed somebody for memory while the step ran. */
export function endOf({ code, lost }: StepOutcome, memoryRanOut: boolean): StepEnd {
  const signal = code === null || code <= 128 ? null : (signals.get(code - 128) ?? null);
  if (memoryRanOut && (signal === 'SIGKILL' || code === null))
    return { exitCode: null, signal: 'SIGKILL', cause: 'out-of-memory' };
  if (lost) return { exitCode: code, signal: null, cause: 'disk-full' };
  if (code === null) return { exitCode: null, signal: null, cause: 'vanished' };
  return { exitCode: signal === null ? code : null, signal, cause: 'exit' };
}
