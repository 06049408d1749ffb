// The runs that ended on this machine, a line each in a file of the state folder: over restarts and updates of launchers.
import { appendFile, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { ifThere } from '../absent.js';

export const endedRunSchema = z.object({
  worker: z.string(),
  run: z.string(),
  stack: z.string(),
  stage: z.string(),
  /** Unix milliseconds, both. */
  since: z.number(),
  until: z.number(),
  /** `dropped`: it was given back, goes on elsewhere, or somebody else tells how it ended. */
  outcome: z.enum(['finished', 'failed', 'stopped', 'dropped']),
});
export type EndedRun = z.output<typeof endedRunSchema>;
export type Outcome = EndedRun['outcome'];

export const historyFile = 'runs.jsonl';
/** Bytes beyond which only the newest lines are kept: some hundred runs. */
const longest = 64 * 1024;
const keptLines = 100;

/** `folder`: the state folder. Launchers may share it: a line is written at once, so that none is torn. */
export async function rememberRun(folder: string, ended: EndedRun): Promise<void> {
  const file = join(folder, historyFile);
  // On a line of its own, also after one that was cut off.
  await appendFile(file, `\n${JSON.stringify(ended)}\n`, { mode: 0o600 });
  if ((await stat(file)).size <= longest) return;
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  const draft = `${file}.${String(process.pid)}`;
  await writeFile(draft, `${lines.slice(-keptLines).join('\n')}\n`, { mode: 0o600 });
  await rename(draft, file);
}

/** The last `count`, the newest first. A line that a machine's end has cut off is left out. */
export async function lastRuns(folder: string, count: number): Promise<EndedRun[]> {
  const text = await ifThere(readFile(join(folder, historyFile), 'utf8'), '');
  return text
    .split('\n')
    .flatMap((line) => (line === '' ? [] : (readLine(line) ?? [])))
    .slice(-count)
    .reverse();
}

function readLine(line: string): EndedRun | undefined {
  try {
    return endedRunSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
