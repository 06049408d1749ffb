// What a machine does to the launcher on it: its disk is full, its clock jumps.
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { Happened } from '../judge.js';
import { eventually, patiently } from '../patience.js';
import { inTurn, placeOf, type FaultOf, type Stage } from './stage.js';

/** Over when the clock is right again. */
export async function jumpClock(stage: Stage, fault: FaultOf<'jump-clock'>): Promise<Happened | undefined> {
  const place = placeOf(stage, fault.launcher);
  if (place.machine === undefined) return undefined;
  return inTurn(clockOf(place), async () => {
    const from = Date.now();
    await place.machine?.setClock(fault.by);
    await sleep(fault.lasts);
    await place.machine?.setClock(0);
    return { fault, from, to: Date.now(), workers: new Set(place.launcher.workers) };
  });
}

/** Jumps wait for each other; whatever else happens to the launcher goes on meanwhile. */
function clockOf({ lines }: ReturnType<typeof placeOf>): object {
  return lines;
}

/** Over when the launcher takes runs again. */
export async function fillDisk(stage: Stage, fault: FaultOf<'fill-disk'>): Promise<Happened | undefined> {
  const place = placeOf(stage, fault.launcher);
  return inTurn(place, async () => {
    const { machine, launcher } = place;
    if (machine === undefined) return undefined;
    const from = Date.now();
    await machine.fillDisk();
    await sleep(fault.lasts);
    await machine.freeDisk();
    await eventually(
      () => isAble(stage, launcher.worker ?? ''),
      () => `worker ${launcher.worker ?? ''} to take runs again; it said ${launcher.program.said()}`,
    );
    return { fault, from, to: Date.now(), workers: new Set(launcher.workers) };
  });
}

const answer = z.object({
  workerPool: z.object({
    workers: z.array(z.object({ id: z.string(), unavailable: z.string().nullable() })),
  }),
});

async function isAble({ fleet }: Stage, worker: string): Promise<boolean> {
  const { workerPool } = await patiently(() =>
    fleet.client.request(
      'query ($id: ID!) { workerPool(id: $id) { workers { id unavailable } } }',
      { id: fleet.pool },
      answer,
    ),
  );
  return workerPool.workers.some(({ id, unavailable }) => id === worker && unavailable === null);
}
