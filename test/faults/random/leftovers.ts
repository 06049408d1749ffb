// What must be gone when every run of a round has ended: folders, processes, and containers of runs.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { markedProcesses } from '../../../launcher/executors/host-processes.js';
import type { Fleet, Place } from './fleet.js';

/** Milliseconds: what launchers left that were killed is removed by others, who wait for one that takes it up first. */
const removedWithin = 25_000;

/** A line for everything that is still there. */
export async function leftovers(fleet: Fleet): Promise<string[]> {
  const end = performance.now() + removedWithin;
  for (;;) {
    const found = (await Promise.all([...fleet.places.map(ofPlace), ofEngine(fleet)])).flat();
    if (found.length === 0 || performance.now() > end) return found;
    await sleep(200);
  }
}

async function ofPlace({ name, launcher, workers }: Place): Promise<string[]> {
  for (const worker of launcher.workers) workers.add(worker);
  const found: string[] = [];
  for (const path of await foldersOfRuns(launcher.state, launcher.worker))
    found.push(`${name} has left the folder ${path}`);
  for (const worker of workers) {
    const processes = await markedProcesses(`${worker}.`);
    if (processes.length > 0)
      found.push(`${name} has left the processes ${processes.join(', ')} of worker ${worker}`);
  }
  return found;
}

async function ofEngine({ engine }: Fleet): Promise<string[]> {
  return ((await engine?.containers()) ?? []).map((id) => `the container ${id} is left`);
}

/** Lives of other workers than the present one, and what runs have in its own. */
async function foldersOfRuns(state: string, worker: string | undefined): Promise<string[]> {
  const found: string[] = [];
  for (const life of await readdir(state)) {
    if (!/^[0-9A-Z]{26}$/.test(life)) continue;
    if (life !== worker) found.push(join(state, life));
    const names = await readdir(join(state, life)).catch(() => []);
    const homes = await readdir(join(state, life, 'homes')).catch(() => []);
    for (const name of [
      ...names.filter((each) => /^[0-9A-Z]{26}\.\d+$/.test(each)),
      ...homes.map((home) => `homes/${home}`),
    ])
      found.push(join(state, life, name));
  }
  return found;
}
