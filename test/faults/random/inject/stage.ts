// What every fault is brought about on, and whose turn it is: one process is not killed twice at once.
import type { Fleet, Place } from '../fleet.js';
import type { Happened } from '../judge.js';
import type { Fault } from '../schedule.js';

/** A run that was started. */
export interface StartedRun {
  readonly stack: string;
  readonly run: string;
}

export interface Stage {
  readonly fleet: Fleet;
  /** Runs that were started so far, in the order of the schedule. */
  readonly started: readonly (StartedRun | undefined)[];
}

export type FaultOf<Kind extends Fault['kind']> = Extract<Fault, { kind: Kind }>;

const turns = new WeakMap<object, Promise<unknown>>();

/** Faults of the same thing wait for each other. */
export function inTurn<Value>(thing: object, work: () => Promise<Value>): Promise<Value> {
  const turn = (turns.get(thing) ?? Promise.resolve()).then(work);
  turns.set(
    thing,
    turn.catch(() => undefined),
  );
  return turn;
}

/** `number`: of a place, from 0; null for all. */
export function placesOf({ fleet }: Stage, number: number | null): readonly Place[] {
  return fleet.places.filter((_, index) => number === null || index === number);
}

export function placeOf(stage: Stage, number: number): Place {
  const [place] = placesOf(stage, number);
  if (place === undefined) throw new Error(`there is no place ${String(number)}`);
  return place;
}

/** One fault that hit several at once. */
export function together(all: readonly Happened[]): Happened {
  const [first] = all;
  if (first === undefined) throw new Error('a fault hit nobody');
  return {
    ...first,
    from: Math.min(...all.map(({ from }) => from)),
    to: Math.max(...all.map(({ to }) => to)),
    workers: new Set(all.flatMap(({ workers }) => [...workers])),
  };
}

/** Every worker that a launcher of the fleet is or was. */
export function everyone({ places }: Fleet): Set<string> {
  return new Set(places.flatMap(({ launcher }) => [...launcher.workers]));
}
