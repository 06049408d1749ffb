// Brings faults about, one function for each kind. Each resolves when its effect is over: what it hit works again.
import { setTimeout as sleep } from 'node:timers/promises';
import { stopRun } from '../../../control-plane/cli/api/runs.js';
import { PoolwrightError } from '../../../protocol/errors.js';
import type { Fleet, Place } from './fleet.js';
import type { Happened } from './judge.js';
import { eventually, patiently } from './patience.js';
import type { Fault } from './schedule.js';

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

type FaultOf<Kind extends Fault['kind']> = Extract<Fault, { kind: Kind }>;

/** One process is not killed twice at once: faults of a place wait for each other. */
const turns = new WeakMap<Place, Promise<unknown>>();

function inTurn<Value>(place: Place, work: () => Promise<Value>): Promise<Value> {
  const turn = (turns.get(place) ?? Promise.resolve()).then(work);
  turns.set(
    place,
    turn.catch(() => undefined),
  );
  return turn;
}

/** Undefined when there was nothing that it could have hit. */
export async function inject(stage: Stage, fault: Fault): Promise<Happened | undefined> {
  switch (fault.kind) {
    case 'kill-launcher':
      return killLauncher(stage, fault);
    case 'cut-line':
      return cutLine(stage, fault);
    case 'stop-run':
      return stop(stage, fault);
  }
}

function placeOf({ fleet }: Stage, number: number): Place {
  const place = fleet.places[number];
  if (place === undefined) throw new Error(`there is no place ${String(number)}`);
  return place;
}

function killLauncher(stage: Stage, fault: FaultOf<'kill-launcher'>): Promise<Happened> {
  const place = placeOf(stage, fault.launcher);
  return inTurn(place, async () => {
    const { launcher } = place;
    const workers = new Set(launcher.workers);
    const from = Date.now();
    const before = launcher.registrations;
    await launcher.program.end('SIGKILL');
    await sleep(fault.down);
    launcher.program.start();
    await launcher.registered(before);
    return { fault, from, to: Date.now(), workers };
  });
}

async function cutLine(stage: Stage, fault: FaultOf<'cut-line'>): Promise<Happened> {
  const places = fault.launcher === null ? stage.fleet.places : [placeOf(stage, fault.launcher)];
  const each = places.map((place) =>
    inTurn(place, async () => {
      const { launcher, lines } = place;
      const from = Date.now();
      const before = launcher.registrations;
      for (const line of lines) line.cut();
      await sleep(fault.lasts);
      for (const line of lines) line.heal();
      await launcher.registered(before);
      return { fault, from, to: Date.now(), workers: new Set(launcher.workers) };
    }),
  );
  return together(await Promise.all(each));
}

/** One fault that hit several at once. */
function together(all: readonly Happened[]): Happened {
  const [first] = all;
  if (first === undefined) throw new Error('a fault hit nobody');
  return {
    ...first,
    from: Math.min(...all.map(({ from }) => from)),
    to: Math.max(...all.map(({ to }) => to)),
    workers: new Set(all.flatMap(({ workers }) => [...workers])),
  };
}

async function stop({ fleet, started }: Stage, fault: FaultOf<'stop-run'>): Promise<Happened | undefined> {
  const index = fault.run % started.length;
  await eventually(
    () => started[index] !== undefined,
    () => `run ${String(index)} to be started`,
  );
  const run = started[index];
  if (run === undefined) return undefined;
  const from = Date.now();
  try {
    await patiently(() => stopRun(fleet.client, run.stack, run.run));
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof PoolwrightError) || error.code !== 'CONFLICT') throw error;
  }
  return { fault, from, to: Date.now(), workers: new Set(), run: run.run };
}
