// What launchers and the control plane need beside each other: a broker of its own, and the container engine.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Happened } from '../judge.js';
import { everyone, inTurn, type FaultOf, type Stage } from './stage.js';

/** It remembers nothing. Over when every launcher is connected again. */
export async function endBroker(
  { fleet }: Stage,
  fault: FaultOf<'kill-broker' | 'end-broker'>,
): Promise<Happened | undefined> {
  const { broker } = fleet;
  if (broker === undefined) return undefined;
  return inTurn(broker, async () => {
    const from = Date.now();
    const before = fleet.places.map(({ launcher }) => ({ launcher, times: launcher.registrations }));
    await broker.mosquitto.end(fault.kind === 'kill-broker' ? 'SIGKILL' : 'SIGTERM');
    await sleep(fault.down);
    await broker.mosquitto.start();
    await Promise.all(
      fleet.places.map((place, index) =>
        // When nobody has ended it: then it is there again, or another one in its place.
        inTurn(place, async () => {
          const { launcher, times } = before[index] ?? { launcher: place.launcher, times: 0 };
          if (place.launcher === launcher) await launcher.registered(times);
        }),
      ),
    );
    return { fault, from, to: Date.now(), workers: everyone(fleet) };
  });
}

export async function breakBroker(
  { fleet }: Stage,
  fault: FaultOf<'cut-broker' | 'freeze-broker'>,
): Promise<Happened | undefined> {
  const { broker } = fleet;
  if (broker === undefined) return undefined;
  return inTurn(broker.line, async () => {
    const from = Date.now();
    if (fault.kind === 'cut-broker') broker.line.cut();
    else broker.line.swallow();
    await sleep(fault.lasts);
    broker.line.heal();
    return { fault, from, to: Date.now(), workers: everyone(fleet) };
  });
}

/** Over when it answers again. */
export async function endEngine(
  { fleet }: Stage,
  fault: FaultOf<'kill-engine' | 'end-engine'>,
): Promise<Happened | undefined> {
  const { engine } = fleet;
  if (engine === undefined) return undefined;
  return inTurn(engine, async () => {
    const from = Date.now();
    await engine.keepContainers(fault.keeps);
    await engine.end(fault.kind === 'kill-engine' ? 'SIGKILL' : 'SIGTERM');
    await sleep(fault.down);
    await engine.start();
    return { fault, from, to: Date.now(), workers: everyone(fleet) };
  });
}
