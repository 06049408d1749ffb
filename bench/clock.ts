// Time for measurements.
import { spawnSync } from 'node:child_process';

/** Milliseconds that `work` takes. */
export async function elapsed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Milliseconds of processor time that a program takes, which a busy machine changes little. */
export function processorTime(program: string, ...words: string[]): number {
  const script = 'TIMEFORMAT="%U %S"; time "$@" >/dev/null 2>&1';
  const { stderr } = spawnSync('bash', ['-c', script, 'bash', program, ...words], { encoding: 'utf8' });
  const [user, system] = stderr.trim().split(' ').map(Number);
  if (user === undefined || system === undefined) throw new Error(`bash told no time: ${stderr}`);
  return (user + system) * 1000;
}

/** Runs ours and the reference in turn, A B A B …, so that a machine whose speed drifts hits both alike. */
export async function inTurn(
  rounds: number,
  ours: () => Promise<number>,
  reference: () => Promise<number>,
): Promise<{ ours: number[]; reference: number[] }> {
  const result = { ours: [] as number[], reference: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    result.ours.push(await ours());
    result.reference.push(await reference());
  }
  return result;
}
