// How a step ended, from the exit code that the shell told and what the kernel did meanwhile.
import { constants } from 'node:os';
import { readFile } from 'node:fs/promises';
import type { StepEnd } from './executor.js';
import type { StepOutcome } from './step-output.js';

/**
 * How many processes the kernel has killed since its start because memory ran out, whoever's: for a step whose own group is
 * not counted.
 */
export type Kills = () => Promise<number>;

/** From /proc/vmstat (proc(5), since Linux 4.13); 0 where there is none. */
export const kernelKills: Kills = async () => {
  const text = await readFile('/proc/vmstat', 'utf8').catch(() => '');
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
};

const signals = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/**
 * A program that loses a child by the kernel often ends with a code of its own, so what was counted for the step decides.
 * `somebodyKilled` is asked where that is not known: whether the kernel has killed somebody for memory while the step ran.
 */
export async function endOf(
  { begun, code, lost, memoryKills }: StepOutcome,
  somebodyKilled: () => Promise<boolean>,
): Promise<StepEnd> {
  const signal = code === null || code <= 128 ? null : (signals.get(code - 128) ?? null);
  const killed = signal === 'SIGKILL' || code === null;
  const ranOut = memoryKills === null ? killed && (await somebodyKilled()) : memoryKills > 0 && code !== 0;
  if (ranOut && killed) return { exitCode: null, signal: 'SIGKILL', cause: 'out-of-memory' };
  if (ranOut) return { exitCode: signal === null ? code : null, signal, cause: 'out-of-memory' };
  if (lost) return { exitCode: code, signal: null, cause: 'disk-full' };
  if (code === null) return { exitCode: null, signal: null, cause: begun ? 'vanished' : 'not-begun' };
  return { exitCode: signal === null ? code : null, signal, cause: 'exit' };
}
