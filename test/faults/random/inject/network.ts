// What happens between programs: connections are cut, carry nothing any more, or are slow.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Happened } from '../judge.js';
import type { Path } from '../path.js';
import { everyone, inTurn, placesOf, together, type FaultOf, type Stage } from './stage.js';

/** Over when the launcher is connected again. */
export async function breakLine(stage: Stage, fault: FaultOf<'cut-line' | 'freeze-line'>): Promise<Happened> {
  const each = placesOf(stage, fault.launcher).map((place) =>
    inTurn(place, async () => {
      const { launcher, lines } = place;
      const from = Date.now();
      const before = launcher.registrations;
      for (const line of lines) broken(line, fault.kind === 'cut-line');
      await sleep(fault.lasts);
      for (const line of lines) line.heal();
      await launcher.registered(before);
      return { fault, from, to: Date.now(), workers: new Set(launcher.workers) };
    }),
  );
  return together(await Promise.all(each));
}

/** The log, and what is asked before a run begins, goes this way. */
export function breakApi({ fleet }: Stage, fault: FaultOf<'cut-api' | 'freeze-api'>): Promise<Happened> {
  return inTurn(fleet.api, async () => {
    const from = Date.now();
    broken(fleet.api, fault.kind === 'cut-api');
    await sleep(fault.lasts);
    fleet.api.heal();
    return { fault, from, to: Date.now(), workers: everyone(fleet) };
  });
}

export function slowDown({ fleet }: Stage, fault: FaultOf<'slow'>): Promise<Happened> {
  const paths = [fleet.api, ...fleet.places.flatMap(({ lines }) => lines)];
  return inTurn(paths, async () => {
    const from = Date.now();
    for (const path of paths) path.delay(fault.by);
    await sleep(fault.lasts);
    for (const path of paths) path.delay(0);
    return { fault, from, to: Date.now(), workers: everyone(fleet) };
  });
}

function broken(path: Path, heard: boolean): void {
  if (heard) path.cut();
  else path.swallow();
}
